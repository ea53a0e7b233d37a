"""From range images to points in the vehicle frame (Waymo Open Dataset, ``utils/range_image_utils.py``)."""

from __future__ import annotations

import numpy as np

from kecor.datasets.waymo.raw import Laser, RawFrame

COLUMNS = 6
"""Of a cloud: x, y, z, intensity, elongation, no-label-zone flag."""


def azimuths(width: int, extrinsic: np.ndarray) -> np.ndarray:
    """(W,) azimuth in radians of each column in the laser's frame; the middle column looks along the vehicle's +x."""
    turn = np.arctan2(extrinsic[1, 0], extrinsic[0, 0])
    return (2 * (width - np.arange(width) - 0.5) / width - 1) * np.pi - turn


def uniform_inclinations(low: float, high: float, height: int) -> np.ndarray:
    """(H,) inclinations, from the first row, which looks highest, of a laser of which only the limits are given."""
    return low + (np.arange(height)[::-1] + 0.5) / height * (high - low)


def return_points(laser: Laser, image: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """The points of one range image, row by row.

    Args:
        laser: its ``pixel_pose`` moves the points from where the vehicle was to the frame's pose.
        image: (H, W, 4), one of ``laser.returns``.
        pose: (4, 4) vehicle to global, of the frame.

    Returns:
        (N, 6) float32 x, y, z in the vehicle frame, intensity, elongation, no-label-zone flag.
    """
    row, column = np.nonzero(image[..., 0] > 0)
    pixels = image[row, column]
    azimuth, inclination = azimuths(image.shape[1], laser.extrinsic), laser.inclinations
    cos = np.cos(inclination)[row]
    direction = np.stack([cos * np.cos(azimuth)[column], cos * np.sin(azimuth)[column], np.sin(inclination)[row]])
    xyz = laser.extrinsic[:3, :3] @ (direction * pixels[:, 0]) + laser.extrinsic[:3, 3:]
    if laser.pixel_pose is not None:
        xyz = _at_frame_pose(xyz, laser.pixel_pose[row, column].astype(np.float64), pose)
    return np.concatenate([xyz.T.astype(np.float32), pixels[:, 1:4]], axis=1)


def _at_frame_pose(xyz: np.ndarray, pixel_pose: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """(3, N) points, each in the vehicle frame of its own (N, 6) pose, in the vehicle frame of ``pose``.

    Translations are subtracted before they are rotated: coordinates of tens of kilometres would cost digits.
    """
    roll, pitch, yaw = pixel_pose[:, :3].T
    x, y, z = xyz
    y, z = _turn(y, z, roll)
    z, x = _turn(z, x, pitch)
    x, y = _turn(x, y, yaw)
    return pose[:3, :3].T @ (np.stack([x, y, z]) + (pixel_pose[:, 3:] - pose[:3, 3]).T)


def _turn(a: np.ndarray, b: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates ``a`` and ``b`` turned from the first axis towards the second."""
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * a - sin * b, sin * a + cos * b


def frame_points(frame: RawFrame) -> tuple[np.ndarray, np.ndarray]:
    """The cloud of a frame, lasers by name and, for each, its first return before its second.

    Returns:
        (N, 6) float32 points as of :func:`return_points` and (5, 2) number of points by laser and return.
    """
    clouds, counts = [np.zeros((0, COLUMNS), np.float32)], np.zeros((5, 2), np.int32)
    for laser in sorted(frame.lasers, key=lambda laser: laser.name):
        for k, image in enumerate(laser.returns):
            clouds.append(return_points(laser, image, frame.pose))
            counts[laser.name - 1, k] = len(clouds[-1])
    return np.concatenate(clouds), counts
