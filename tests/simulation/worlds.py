"""What was simulated, built once more from its seeds, to compare what the readers return with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from kecor.datasets.custom import CustomDataset
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.datasets.nuscenes import NuscenesDataset
from kecor.datasets.waymo import WaymoDataset
from kecor.simulation import nuscenes
from kecor.simulation.objects.meshes import Mesh
from kecor.simulation.scenes.scene import random_scene
from kecor.simulation.sensor import MOUNT_HEIGHT
from kecor.simulation.waymo.drive import CLASSES as WAYMO_CLASSES
from kecor.simulation.waymo.drive import Drive, random_drive
from kecor.structures import Frame
from tests.simulation.conftest import FRAMES, SEED

KITTI_CLASSES = {name: name for name in ("Car", "Pedestrian", "Cyclist", "Van", "Truck")}
OWN_CLASSES = {name: name for name in ("Car", "Pedestrian", "Cyclist")}
NUSCENES_CLASSES = {"Car": "car", "Van": "car", "Truck": "truck", "Pedestrian": "pedestrian", "Cyclist": "bicycle"}
NAMES = {"kitti": KITTI_CLASSES, "waymo": WAYMO_CLASSES, "nuscenes": NUSCENES_CLASSES, "custom": OWN_CLASSES}
"""Layout -> class in a scene -> class that a reader returns."""
STEP = {"waymo": 0.1, "nuscenes": 0.5, "custom": 0.5}
"""Seconds between frames."""
UP = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, MOUNT_HEIGHT], [0, 0, 0, 1]])
MOUNT = {"waymo": np.eye(4), "nuscenes": nuscenes.MOUNT, "custom": UP}
"""(4, 4) from the frame of the points to that of the vehicle."""


def open_set(layout: str, root: Path, split: str):
    """The data set, with the classes of :data:`NAMES`."""
    classes = sorted(set(NAMES[layout].values()))
    if layout == "nuscenes":
        return NuscenesDataset(root, split, classes, nuscenes.VERSION, sweeps=2)
    return {"kitti": KittiDataset, "waymo": WaymoDataset, "custom": CustomDataset}[layout](root, split, classes)


def drive_of(layout: str, dataset, frame_id: str) -> tuple[Drive, float]:
    """The drive a frame is of, and the frame's time in it in seconds."""
    number = int(dataset.sequence(frame_id)[-3:])
    drive = random_drive(np.random.default_rng([SEED, number]), FRAMES * STEP[layout])
    ids = [other for other in dataset.ids if dataset.sequence(other) == dataset.sequence(frame_id)]
    return drive, ids.index(frame_id) * STEP[layout]


@dataclass
class World:
    """One frame as it was read, and what was simulated, in the frame of its points.

    Attributes:
        mesh: everything.
        names: of the objects, as in the scene.
        parts: (V, 3) vertices of each object.
        drive: None for kitti.
        time: of the frame in the drive, seconds.
    """

    frame: Frame
    mesh: Mesh
    names: list[str]
    parts: list[np.ndarray]
    drive: Drive | None = None
    time: float = 0.0


def mesh_at(drive: Drive, mount: np.ndarray, seen_at: float, frame_at: float) -> Mesh:
    """Everything as it was at ``seen_at``, in the laser's frame at ``frame_at``."""
    mesh = drive.mesh(seen_at)
    pose = drive.pose(frame_at) @ mount
    return Mesh((mesh.vertices - pose[:3, 3]) @ pose[:3, :3], mesh.triangles, mesh.surface)


def world_of(layout: str, dataset, frame_id: str) -> World:
    """A frame of a simulated set with the world it was cast at."""
    drive, time = None, 0.0
    if layout == "kitti":
        scene = random_scene(np.random.default_rng([SEED, int(frame_id)]))
        mesh = scene.mesh
    else:
        drive, time = drive_of(layout, dataset, frame_id)
        scene, mesh = drive.scene, mesh_at(drive, MOUNT[layout], time, time)
    ends = np.cumsum([0, *(len(part.vertices) for part in scene.meshes)])
    parts = [mesh.vertices[a:b] for a, b in pairwise(ends)]
    return World(dataset.read(frame_id), mesh, scene.names.tolist(), parts, drive, time)


def worlds(layout: str, root: Path) -> Iterator[World]:
    """All frames of a simulated set."""
    for split in ("train", "val"):
        dataset = open_set(layout, root, split)
        yield from (world_of(layout, dataset, frame_id) for frame_id in dataset.ids)
