"""A small invented world in nuScenes' layout: objects of all classes at constant velocity, seen from a turning car."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kecor.datasets.nuscenes.scenes import Objects, Scene, Sweep
from kecor.datasets.nuscenes.writing import write_nuscenes
from kecor.structures import wrap_angle

VERSION = "v1.0-mini"
KINDS = [
    ("vehicle.car", (4.5, 1.9, 1.6), 6.0),
    ("vehicle.truck", (8.0, 2.5, 3.0), 4.0),
    ("vehicle.bus.rigid", (11.0, 2.9, 3.4), 0.0),
    ("vehicle.trailer", (12.0, 2.9, 3.8), 0.0),
    ("vehicle.construction", (6.0, 2.7, 3.1), 0.0),
    ("human.pedestrian.adult", (0.7, 0.7, 1.8), 1.2),
    ("vehicle.motorcycle", (2.1, 0.8, 1.5), 5.0),
    ("vehicle.bicycle", (1.7, 0.6, 1.3), 0.0),
    ("movable_object.trafficcone", (0.4, 0.4, 1.1), 0.0),
    ("movable_object.barrier", (0.5, 2.5, 1.0), 0.0),
    ("animal", (0.8, 0.3, 0.5), 1.0),
]
"""Category, size and speed of each object."""


def need_devkit() -> None:
    """Skip the calling module, saying so, where nuscenes-devkit is absent."""
    pytest.importorskip(
        "nuscenes",
        reason="nuscenes-devkit is not installed: pip install --no-deps -r requirements/nuscenes.txt",
    )


def mount() -> np.ndarray:
    """(4, 4) pose of the LiDAR on the vehicle: turned by -90 degrees and slightly tilted."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("zyx", [-90.0, 0.6, -0.4], degrees=True).as_matrix()
    pose[:3, 3] = 0.9, 0.0, 1.8
    return pose


def ego(time: float) -> np.ndarray:
    """(4, 4) pose of the vehicle: at 5 m/s along x, turning left."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("z", 0.1 * time).as_matrix()
    pose[:3, 3] = 600.0 + 5.0 * time, 400.0, 0.0
    return pose


def objects(time: float, pose: np.ndarray) -> Objects:
    """The objects at a time in the frame with the global ``pose``, spread over a circle of 18 m."""
    rows, speeds = [], []
    for k, (_, size, speed) in enumerate(KINDS):
        angle = 2 * np.pi * k / len(KINDS)
        heading = angle + 1.0
        start = np.array([605.0, 400.0, 0.0]) + 18 * np.array([np.cos(angle), np.sin(angle), 0])
        centre = start + time * speed * np.array([np.cos(heading), np.sin(heading), 0])
        centre[2] = size[2] / 2
        local = pose[:3, :3].T @ (centre - pose[:3, 3])
        forward = pose[:3, :3].T @ np.array([np.cos(heading), np.sin(heading), 0])
        rows.append([*local, *size, wrap_angle(np.arctan2(forward[1], forward[0]))])
        speeds.append(speed)
    return Objects(np.array(rows), [kind[0] for kind in KINDS], list(range(len(KINDS))), np.array(speeds))


def scene(name: str, keys: int = 4, per_key: int = 5, labelled: bool = True) -> Scene:
    """A scene of ``keys`` key frames 0.5 s apart; the points of each sweep are drawn inside the boxes, 40 in each."""
    rng = np.random.default_rng(len(name))
    made = Scene(name)
    for i in range((keys - 1) * per_key + 1):
        time = 0.5 * i / per_key
        found = objects(time, ego(time) @ mount())
        clouds = [np.array([[0.5, -0.5, 0.0, 9, 9], [40.0, 0.0, -1.5, 200, 1]])]  # the first is the vehicle's own
        for box in found.boxes:
            inside = rng.uniform(-0.45, 0.45, (40, 3)) * box[3:6]
            turned = Rotation.from_euler("z", box[6]).apply(inside) + box[:3]
            clouds.append(np.column_stack([turned, rng.integers(0, 255, 40), rng.integers(0, 31, 40)]))
        key = i % per_key == 0
        made.sweeps.append(
            Sweep(1.5e9 + time, np.concatenate(clouds), ego(time), key, found if key and labelled else None)
        )
    return made


def write_world(root: Path, labelled: bool = True) -> Path:
    """A data set with a scene of mini_train and one of mini_val."""
    write_nuscenes(root, VERSION, [scene("scene-0061", labelled=labelled), scene("scene-0103")], mount())
    return root
