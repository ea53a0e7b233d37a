"""A tiny data set in the KITTI layout and a tiny config for it: whole runs in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kecor.config import Config, dump_config, parse_config
from kecor.datasets.kitti.calibration import Calibration, format_calibration
from kecor.datasets.kitti.labels import KittiObjects, format_objects
from kecor.geometry.boxes import rotate_points

SIZES = {"Car": (3.9, 1.6, 1.56), "Pedestrian": (0.8, 0.6, 1.73)}
CALIBRATION = Calibration(
    p2=np.array([[700.0, 0, 600, 0], [0, 700, 180, 0], [0, 0, 1, 0]]),
    r0=np.eye(3),
    v2c=np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]]),
)


def write_tiny_set(root: Path, n_train: int, n_val: int, seed: int = 0) -> Path:
    """Frames of flat ground with one to three cars and people, boxes full of points; lists ``train`` and ``val``."""
    rng = np.random.default_rng(seed)
    ids = [f"{i:06d}" for i in range(n_train + n_val)]
    for folder in ("ImageSets", "training/velodyne", "training/label_2", "training/calib"):
        (root / folder).mkdir(parents=True)
    for frame_id in ids:
        boxes, names = _scene(rng)
        _write_frame(root / "training", frame_id, boxes, names, rng)
    for name, part in (("train", ids[:n_train]), ("val", ids[n_train:])):
        (root / "ImageSets" / f"{name}.txt").write_text("".join(f"{i}\n" for i in part))
    return root


def _scene(rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Boxes on the ground (z = -1.6 m) that do not touch: each has a lane of its own."""
    lanes = rng.permutation([-6.0, 0.0, 6.0])[: rng.integers(1, 4)]
    names = [["Car", "Pedestrian"][rng.integers(2)] for _ in lanes]
    boxes = [
        [rng.uniform(5, 15), y, SIZES[n][2] / 2 - 1.6, *SIZES[n], rng.uniform(-0.3, 0.3)] for y, n in zip(lanes, names)
    ]
    return np.array(boxes), names


def _write_frame(folder: Path, frame_id: str, boxes: np.ndarray, names: list[str], rng: np.random.Generator) -> None:
    ground = np.column_stack([rng.uniform(0, 19, 400), rng.uniform(-9, 9, 400), rng.normal(-1.6, 0.02, 400)])
    parts = [ground]
    for box in boxes:
        inside = rng.uniform(-0.5, 0.5, (150, 3)) * box[3:6]
        parts.append(rotate_points(inside, box[6]) + box[:3])
    points = np.concatenate(parts)
    cloud = np.column_stack([points, rng.uniform(0, 1, len(points))]).astype("<f4")
    (folder / "velodyne" / f"{frame_id}.bin").write_bytes(cloud.tobytes())
    (folder / "calib" / f"{frame_id}.txt").write_text(format_calibration(CALIBRATION))
    dimensions, location, rotation = CALIBRATION.boxes_to_camera(boxes)
    bbox = np.tile([500.0, 100, 600, 200], (len(boxes), 1))
    zeros = np.zeros(len(boxes))
    rows = np.column_stack([zeros, zeros, zeros, bbox, dimensions, location, rotation, zeros])
    (folder / "label_2" / f"{frame_id}.txt").write_text(format_objects(KittiObjects.from_rows(names, rows)))


def tiny_values(root: Path, /, **sections: dict[str, Any] | Any) -> dict[str, Any]:
    """A config as plain values; ``sections`` are merged into it."""
    anchors = [
        {"name": "Car", "size": list(SIZES["Car"]), "bottom": -1.6, "rotations": [0], "matched": 0.4, "unmatched": 0.3},
        {"name": "Pedestrian", "size": list(SIZES["Pedestrian"]), "bottom": -1.6, "rotations": [0], "matched": 0.3,
         "unmatched": 0.2},
    ]  # fmt: skip
    values: dict[str, Any] = {
        "data": {
            "type": "kitti",
            "root": str(root),
            "classes": ["Car", "Pedestrian"],
            "point_cloud_range": [0, -9.6, -3, 19.2, 9.6, 1],
            "voxels": {"size": [0.2, 0.2, 0.1], "max_train": 2000, "max_test": 2000},
            "camera_view": False,
            "augmentation": [{"type": "flip"}, {"type": "gt_sampling", "counts": {"Car": 1}}],
        },
        "detector": {
            "type": "second",
            "backbone_3d": {"in_channels": 4, "channels": [4, 4, 4, 8, 8], "out_channels": 8},
            "backbone_2d": {
                "layers": [1, 1],
                "strides": [1, 2],
                "filters": [8, 8],
                "up_strides": [1, 2],
                "up_filters": [8, 8],
            },
            "dense_head": {"anchors": anchors},
            "post_processing": {"score_threshold": 0.005, "post_nms": 8},
        },
        "schedule": {"epochs": 3, "batch_size": 2, "lr": 0.01},
        "evaluation": {"type": "kitti"},
        "active": {"initial": 4, "rounds": 2, "amount": 3.0, "n_rois": 8},
        "acquisition": {"type": "entropy"},
        "seed": 1,
    }
    for key, section in sections.items():
        values[key] = {**values[key], **section} if isinstance(section, dict) and key != "acquisition" else section
    return values


def tiny_config(root: Path, /, **sections: dict[str, Any] | Any) -> Config:
    """The same, checked."""
    return parse_config(tiny_values(root, **sections))


def write_config(path: Path, config: Config) -> Path:
    """The config as a YAML file."""
    path.write_text(dump_config(config))
    return path
