"""Writing scenes in nuScenes' layout: the thirteen tables and a ``.pcd.bin`` file for each sweep."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from kecor.datasets.nuscenes.categories import ATTRIBUTES, CATEGORIES
from kecor.datasets.nuscenes.devkit import CHANNEL
from kecor.datasets.nuscenes.points import COLUMNS
from kecor.datasets.nuscenes.scenes import Records, Scene, Sweep, add_annotations, links, make_token, pose_fields
from kecor.errors import DataError
from kecor.files import write_atomic, write_json

MAP = "maps/empty.png"


def write_nuscenes(root: str | Path, version: str, scenes: Iterable[Scene], mount: np.ndarray) -> None:
    """Write scenes to ``root`` and their tables to ``root/version``; the tables come last and replace older ones.

    Tokens follow from version, scene and position: the same scenes give the same files.

    Args:
        mount: (4, 4) pose of the LiDAR on the vehicle.

    Raises:
        DataError: a scene without a key frame, out of the order of time, or named twice; an unknown category; faulty
            points or boxes.
    """
    root = Path(root)
    picture = cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes()
    write_atomic(root / MAP, lambda stream: stream.write(picture))
    tables = _fixed_tables(version, mount)
    for scene in scenes:
        if scene.name in [record["name"] for record in tables["scene"]]:
            raise DataError(f"scene {scene.name} is there twice")
        try:
            _write_scene(root, version, scene, mount, tables)
        except (ValueError, KeyError) as error:
            raise DataError(f"scene {scene.name}: {error}") from error
    tables["map"][0]["log_tokens"] = [log["token"] for log in tables["log"]]
    for name, records in tables.items():
        write_json(root / version / f"{name}.json", records)


def _fixed_tables(version: str, mount: np.ndarray) -> Records:
    """The tables that are the same for all scenes, and empty ones."""
    attributes = sorted({name for names in ATTRIBUTES.values() for name in names if name})
    sensor = make_token(version, "sensor", CHANNEL)
    calibration = {"token": make_token(version, "calibration"), "sensor_token": sensor, "camera_intrinsic": []}
    tables: Records = defaultdict(list)
    tables["category"] = [{"token": make_token("category", n), "name": n, "description": ""} for n in CATEGORIES]
    tables["attribute"] = [{"token": make_token("attribute", n), "name": n, "description": ""} for n in attributes]
    tables["visibility"] = [{"token": str(i), "level": f"level {i}", "description": ""} for i in range(1, 5)]
    tables["sensor"] = [{"token": sensor, "channel": CHANNEL, "modality": "lidar"}]
    tables["calibrated_sensor"] = [{**calibration, **pose_fields(mount)}]
    tables["map"] = [{"token": make_token(version, "map"), "category": "semantic_prior", "filename": MAP}]
    for name in ("log", "scene", "sample", "sample_data", "ego_pose", "instance", "sample_annotation"):
        tables[name] = []
    return tables


def _write_scene(root: Path, version: str, scene: Scene, mount: np.ndarray, tables: Records) -> None:
    keys = [i for i, sweep in enumerate(scene.sweeps) if sweep.is_key_frame]
    times = [sweep.timestamp for sweep in scene.sweeps]
    if not keys or times != sorted(set(times)) or not re.fullmatch(r"[\w-]+", scene.name):
        raise ValueError("needs a name of letters and digits, a key frame, and sweeps in the order of time")
    samples = [make_token(version, scene.name, "sample", i) for i in keys]
    base = {"token": make_token(version, scene.name), "name": scene.name, "description": ""}
    log = {"token": make_token(version, scene.name, "log"), "logfile": scene.name, "vehicle": "", "date_captured": ""}
    tables["log"].append({**log, "location": ""})
    first_last = {"first_sample_token": samples[0], "last_sample_token": samples[-1]}
    tables["scene"].append({**base, **first_last, "log_token": log["token"], "nbr_samples": len(samples)})
    for i, token, neighbours in zip(keys, samples, links(samples)):
        time = _microseconds(scene.sweeps[i])
        tables["sample"].append({"token": token, "timestamp": time, "scene_token": base["token"], **neighbours})
    _write_sweeps(root, version, scene, dict(zip(keys, samples)), tables)
    add_annotations(scene, dict(zip(keys, samples)), mount, tables)


def _write_sweeps(root: Path, version: str, scene: Scene, samples: dict[int, str], tables: Records) -> None:
    """Point files, ``sample_data`` and ``ego_pose``. A sweep belongs to the next key frame, or to the last one."""
    tokens = [make_token(version, scene.name, "sweep", i) for i in range(len(scene.sweeps))]
    for i, (sweep, token, neighbours) in enumerate(zip(scene.sweeps, tokens, links(tokens))):
        time = _microseconds(sweep)
        folder = "samples" if sweep.is_key_frame else "sweeps"
        name = f"{folder}/{CHANNEL}/{scene.name}__{CHANNEL}__{time}.pcd.bin"
        _write_points(root / name, sweep.points)
        later = [key for key in samples if key >= i]
        record = {
            "token": token,
            "sample_token": samples[min(later, default=max(samples))],
            "ego_pose_token": token,
            "calibrated_sensor_token": tables["calibrated_sensor"][0]["token"],
            "timestamp": time,
            "fileformat": "pcd",
            "is_key_frame": sweep.is_key_frame,
            "height": 0,
            "width": 0,
            "filename": name,
        }
        tables["sample_data"].append({**record, **neighbours})
        tables["ego_pose"].append({"token": token, "timestamp": time, **pose_fields(sweep.pose)})


def _write_points(path: Path, points: np.ndarray) -> None:
    points = np.asarray(points, "<f4")
    if points.ndim != 2 or points.shape[1] != COLUMNS or not np.isfinite(points).all():
        raise ValueError(f"{path.name}: points must be finite and (N, {COLUMNS}), got {points.shape}")
    write_atomic(path, lambda stream: stream.write(points.tobytes()))


def _microseconds(sweep: Sweep) -> int:
    return round(1e6 * sweep.timestamp)
