"""A frame as Waymo publishes it: range images, laser labels, poses. What readers and writers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kecor.errors import DataError

TYPE_NAMES = ("Unknown", "Vehicle", "Pedestrian", "Sign", "Cyclist")
"""Names of the label types 0 to 4."""
LASER_NAMES = ("TOP", "FRONT", "SIDE_LEFT", "SIDE_RIGHT", "REAR")
"""Names of the lasers 1 to 5."""

LABEL = np.dtype(
    [
        ("type", "i1"),
        ("box", "<f8", 7),
        ("id", "S32"),
        ("n_points", "<i4"),
        ("n_top_points", "<i4"),
        ("difficulty", "i1"),
        ("tracking_difficulty", "i1"),
        ("speed", "<f8", 3),
        ("acceleration", "<f8", 3),
    ]
)
"""One laser label. ``box``: x y z length width height heading in the vehicle frame, metres and radians. ``n_points``:
LiDAR points inside as counted by Waymo. ``difficulty``: 1, 2 or 0 for none. ``speed``, ``acceleration``: global."""


def object_ids(labels: np.ndarray, where: str) -> np.ndarray:
    """(M,) texts: the ids of (M,) labels of :data:`LABEL`; ``where`` is named in errors.

    Raises:
        DataError: an id is not text.
    """
    try:
        return labels["id"].astype(str)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: the id of an object is not text: {error.object!r}; convert it again") from error


@dataclass(frozen=True)
class Laser:
    """What one laser measured in one frame.

    Attributes:
        name: 1 TOP, 2 FRONT, 3 SIDE_LEFT, 4 SIDE_RIGHT, 5 REAR.
        extrinsic: (4, 4) laser to vehicle.
        inclinations: (H,) radians of the rows, from the first row, which looks highest, to the last.
        returns: up to two (H, W, 4) float32 range images: range in metres (a pixel without a point has none above 0),
            intensity, elongation, and 1 in a no-label zone, otherwise -1.
        pixel_pose: (H, W, 6) roll, pitch, yaw, x, y, z of the vehicle in the global frame when each pixel was
            measured, or None where the vehicle stood at the frame's pose.
    """

    name: int
    extrinsic: np.ndarray
    inclinations: np.ndarray
    returns: Sequence[np.ndarray]
    pixel_pose: np.ndarray | None = None


@dataclass(frozen=True)
class RawFrame:
    """One frame.

    Attributes:
        segment: context name.
        timestamp: microseconds.
        pose: (4, 4) vehicle to global.
        lasers: in the order of their names; empty where the file holds no range images.
        labels: (M,) of :data:`LABEL`, all types.
        zones: no-label zones, (K, 2) x, y of corners in the global frame.
    """

    segment: str
    timestamp: int
    pose: np.ndarray
    lasers: Sequence[Laser] = ()
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, LABEL))
    zones: Sequence[np.ndarray] = ()


def segment_name(name: str) -> str:
    """The context name in the name of a segment's file or folder, in any of the spellings in use."""
    name = name.removesuffix(".tfrecord").removesuffix(".parquet").removesuffix("_with_camera_labels")
    for prefix in ("training_", "validation_", "testing_", "segment-"):
        name = name.removeprefix(prefix)
    return name


def check_labels(labels: np.ndarray, where: str) -> np.ndarray:
    """``labels`` if each has a known type, finite numbers and a size above zero.

    Raises:
        DataError: names the first that has not.
    """
    known = (labels["type"] >= 0) & (labels["type"] < len(TYPE_NAMES))
    sound = known & np.isfinite(labels["box"]).all(1) & (labels["box"][:, 3:6] > 0).all(1)
    if not sound.all():
        label = labels[np.flatnonzero(~sound)[0]]
        raise DataError(f"{where}: label {label['id'].decode()!r} has type {label['type']} and box {label['box']}")
    return labels


def rigid(values: Sequence[float] | np.ndarray, where: str) -> np.ndarray:
    """(4, 4) float64 transform of 16 row-major numbers.

    Raises:
        DataError: there are not 16 finite numbers, or they are no rotation and translation.
    """
    matrix = np.array(values, np.float64)
    if matrix.size != 16 or not np.isfinite(matrix).all():
        raise DataError(f"{where}: expected 16 finite numbers of a transform, got {matrix.size}")
    matrix = matrix.reshape(4, 4)
    if np.abs(matrix[:3, :3] @ matrix[:3, :3].T - np.eye(3)).max() > 1e-3 or (matrix[3] != [0, 0, 0, 1]).any():
        raise DataError(f"{where}: is no rotation and translation: {matrix.tolist()}")
    return matrix


def velocity(labels: np.ndarray, pose: np.ndarray | None) -> np.ndarray:
    """(M, 2) float32 velocities of labels in m/s in the vehicle frame; NaN without a pose."""
    if pose is None:
        return np.full((len(labels), 2), np.nan, np.float32)
    return (labels["speed"] @ pose[:3, :3])[:, :2].astype(np.float32)
