"""A laser like TOP of Waymo's vehicles: 64 beams, a full turn of 2650 columns, on the roof of a moving vehicle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kecor.datasets.waymo.range_images import azimuths

COLUMNS = 2650
TURN = 0.1
"""Seconds of a turn."""
EXTRINSIC = np.array(
    [[0.9848, -0.1736, 0.0, 1.43], [0.1736, 0.9848, 0.0, 0.0], [0.0, 0.0, 1.0, 2.18], [0.0, 0.0, 0.0, 1.0]]
)
"""Laser to vehicle, whose origin is on the road: on the roof, turned by ten degrees."""
EXTRINSIC[:2, :2] /= np.hypot(0.9848, 0.1736)
INCLINATIONS = np.deg2rad(2.4 - 20.0 * np.linspace(0, 1, 64) ** 1.35)
"""(64,) radians of the beams, the highest first: 2.4 to -17.6 degrees, denser towards the horizon."""


def column_times() -> np.ndarray:
    """(W,) seconds, from the time of the frame, at which each column is measured: the turn's middle is at 0."""
    return ((np.arange(COLUMNS) + 0.5) / COLUMNS - 0.5) * TURN


def rays(pose_at: Callable[[float], np.ndarray], time: float) -> np.ndarray:
    """(64 * W, 6) float32 origins and unit directions of one turn, row by row.

    Args:
        pose_at: seconds -> (4, 4) vehicle to the frame the rays are given in.
        time: of the frame, seconds.
    """
    poses = np.array([pose_at(time + t) @ EXTRINSIC for t in column_times()])
    azimuth, inclination = azimuths(COLUMNS, EXTRINSIC), INCLINATIONS[:, None]
    direction = np.stack(
        [
            np.cos(inclination) * np.cos(azimuth),
            np.cos(inclination) * np.sin(azimuth),
            np.broadcast_to(np.sin(inclination), (len(INCLINATIONS), COLUMNS)),
        ],
        axis=-1,
    )
    result = np.empty((len(INCLINATIONS), COLUMNS, 6), np.float32)
    result[..., :3] = poses[:, :3, 3]
    result[..., 3:] = np.einsum("wij,hwj->hwi", poses[:, :3, :3], direction)
    return result.reshape(-1, 6)
