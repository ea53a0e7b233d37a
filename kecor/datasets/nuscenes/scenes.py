"""Scenes to write: what a caller hands over, and the records of their annotations."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from kecor.datasets.nuscenes.categories import CATEGORIES, attribute_of
from kecor.ops import count_points_in_boxes
from kecor.structures import Boxes, as_boxes

Records = dict[str, list[dict[str, Any]]]


@dataclass
class Objects:
    """What is annotated in a key frame.

    Attributes:
        boxes: (M, 7) in the LiDAR frame of the key frame.
        categories: (M,) keys of :data:`CATEGORIES`.
        instances: (M,) numbers that follow an object through its scene.
        speeds: (M,) m/s, for attributes alone: the tables hold no velocities, readers derive them from positions.
    """

    boxes: Boxes
    categories: list[str]
    instances: list[int]
    speeds: np.ndarray


@dataclass
class Sweep:
    """One turn of the LiDAR.

    Attributes:
        timestamp: seconds.
        points: (N, 5) x, y, z in metres in the LiDAR frame, intensity in [0, 255], ring.
        pose: (4, 4) of the vehicle in the global frame.
        is_key_frame: whether the sweep is that of a sample.
        objects: annotations of a key frame; None where it is not labelled.
    """

    timestamp: float
    points: np.ndarray
    pose: np.ndarray
    is_key_frame: bool = False
    objects: Objects | None = None


@dataclass
class Scene:
    """Sweeps in the order of time. Its name decides the official split it belongs to."""

    name: str
    sweeps: list[Sweep] = field(default_factory=list)


def make_token(*parts: Any) -> str:
    return hashlib.md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()


def pose_fields(pose: np.ndarray) -> dict[str, list[float]]:
    """Translation and (w, x, y, z) rotation of a (4, 4) pose."""
    quaternion = np.roll(Rotation.from_matrix(pose[:3, :3]).as_quat(), 1)
    return {"translation": pose[:3, 3].tolist(), "rotation": quaternion.tolist()}


def links(tokens: list[str]) -> list[dict[str, str]]:
    """``prev`` and ``next`` of each of a chain of tokens."""
    return [{"prev": a, "next": b} for a, b in zip(["", *tokens[:-1]], [*tokens[1:], ""])]


def add_annotations(scene: Scene, samples: dict[int, str], mount: np.ndarray, tables: Records) -> None:
    """``sample_annotation`` and ``instance``, each instance's annotations linked in the order of time."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    category_of: dict[int, str] = {}
    for i, sample in samples.items():
        sweep = scene.sweeps[i]
        if sweep.objects is not None:
            for number, category, record in _annotations(sweep, sample, mount):
                found[number].append(record)
                category_of[number] = category
    for number, records in found.items():
        tokens = [record["token"] for record in records]
        instance = {
            "token": make_token(scene.name, number, *tokens),
            "category_token": make_token("category", category_of[number]),
        }
        first_last = {"first_annotation_token": tokens[0], "last_annotation_token": tokens[-1]}
        tables["instance"].append({**instance, "nbr_annotations": len(tokens), **first_last})
        for record, neighbours in zip(records, links(tokens)):
            tables["sample_annotation"].append({**record, "instance_token": instance["token"], **neighbours})


def _annotations(sweep: Sweep, sample: str, mount: np.ndarray) -> list[tuple[int, str, dict[str, Any]]]:
    """Instance number, category and record of each object of a key frame."""
    objects = sweep.objects
    assert objects is not None
    boxes = as_boxes(objects.boxes).astype(np.float64)
    pose = sweep.pose @ mount
    counts = count_points_in_boxes(sweep.points[:, :3], boxes.astype(np.float32))
    rows = []
    for k, (box, category, number) in enumerate(zip(boxes, objects.categories, objects.instances, strict=True)):
        name = CATEGORIES[category]
        attribute = attribute_of(name, objects.speeds[k]) if name else ""
        turn = np.eye(4)
        turn[:3, :3] = Rotation.from_euler("z", box[6]).as_matrix()
        turn[:3, 3] = box[:3]
        record = {
            "token": make_token(sample, number),
            "sample_token": sample,
            "visibility_token": "4",
            "attribute_tokens": [make_token("attribute", attribute)] if attribute else [],
            **pose_fields(pose @ turn),
            "size": box[[4, 3, 5]].tolist(),
            "num_lidar_pts": int(counts[k]),
            "num_radar_pts": 0,
        }
        rows.append((number, category, record))
    return rows
