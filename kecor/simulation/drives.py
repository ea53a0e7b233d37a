"""Sweeps of a LiDAR on a vehicle that drives through a scene with moving objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kecor.ops import count_points_in_boxes
from kecor.simulation.casting import Caster
from kecor.simulation.sensor import measure
from kecor.simulation.waymo.drive import Drive
from kecor.structures import Boxes, wrap_angle


@dataclass(frozen=True)
class Turn:
    """One turn, in the frame of the laser.

    Attributes:
        points: (N, 4) float32 x, y, z, intensity in [0, 1].
        rings: (N,) beam of each point, the highest first.
        boxes: (M, 7) of the objects that hold a point.
        objects: (M,) their positions in the drive's scene.
    """

    points: np.ndarray
    rings: np.ndarray
    boxes: Boxes
    objects: np.ndarray


def beam_rays(elevation: np.ndarray, columns: int) -> np.ndarray:
    """(B * columns, 6) float32 origins (zero) and unit directions of a full turn in the frame of the laser.

    Args:
        elevation: (B,) radians of the beams, the highest first.
        columns: shots of each beam.
    """
    azimuth = np.arange(columns) * 2 * np.pi / columns - np.pi
    rays = np.zeros((len(elevation), columns, 6), np.float32)
    rays[..., 3] = np.cos(elevation)[:, None] * np.cos(azimuth)
    rays[..., 4] = np.cos(elevation)[:, None] * np.sin(azimuth)
    rays[..., 5] = np.sin(elevation)[:, None]
    return rays.reshape(-1, 6)


def turn_at(drive: Drive, time: float, mount: np.ndarray, rays: np.ndarray, rng: np.random.Generator) -> Turn:
    """What the laser measures at ``time``; the vehicle and the objects stand still during the turn.

    Args:
        drive: the scene and its motion.
        time: seconds.
        mount: (4, 4) laser to vehicle, whose origin is on the road.
        rays: of :func:`beam_rays`.
        rng: of noise and lost shots.
    """
    pose = drive.pose(time) @ mount
    shots = np.empty_like(rays)
    shots[:, :3] = pose[:3, 3]
    shots[:, 3:] = rays[:, 3:] @ pose[:3, :3].T
    mesh = drive.mesh(time)
    hits = Caster(mesh).first_hits(shots)
    points, kept = measure(shots, hits, mesh.surface[hits.triangle], rng)
    points[:, :3] = (points[:, :3] - pose[:3, 3]) @ pose[:3, :3]
    boxes = _in_laser_frame(drive.boxes(time), mount)
    seen = np.flatnonzero(count_points_in_boxes(points[:, :3], boxes) > 0)
    columns = len(rays) // len(np.unique(rays[:, 5]))
    return Turn(points.astype(np.float32), hits.ray[kept] // columns, boxes[seen].astype(np.float32), seen)


def _in_laser_frame(boxes: np.ndarray, mount: np.ndarray) -> np.ndarray:
    """(M, 7) boxes of the vehicle frame in that of a laser, which may be turned about +z."""
    moved = boxes.copy()
    moved[:, :3] = (boxes[:, :3] - mount[:3, 3]) @ mount[:3, :3]
    moved[:, 6] = wrap_angle(boxes[:, 6] - np.arctan2(mount[1, 0], mount[0, 0]))
    return moved
