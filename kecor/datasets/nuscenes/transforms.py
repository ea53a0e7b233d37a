"""Poses of the tables as matrices. Quaternions are (w, x, y, z); matrices map homogeneous column vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.transform import Rotation

from kecor.errors import DataError

if TYPE_CHECKING:
    from kecor.datasets.nuscenes.tables import Tables


def rotations(quaternions: Any) -> Rotation:
    """Rotations of (..., 4) quaternions (w, x, y, z).

    Raises:
        ValueError: a quaternion has another shape, is zero or not finite.
    """
    quaternions = np.asarray(quaternions, np.float64)
    if not np.isfinite(quaternions).all():
        raise ValueError("a quaternion is not finite")
    return Rotation.from_quat(np.roll(quaternions, -1, axis=-1))


def matrix(record: dict[str, Any]) -> np.ndarray:
    """(4, 4) float64 pose of a record of ``ego_pose`` (ego -> global) or ``calibrated_sensor`` (sensor -> ego).

    Raises:
        ValueError: translation or rotation is faulty.
    """
    pose = np.eye(4)
    pose[:3, :3] = rotations(record["rotation"]).as_matrix()
    pose[:3, 3] = record["translation"]
    if not np.isfinite(pose).all():
        raise ValueError("the translation is not finite")
    return pose


def lidar_to_global(tables: Tables, sweep: dict[str, Any]) -> np.ndarray:
    """(4, 4) float64 pose of the LiDAR in the global frame at the time of a sweep, a record of ``sample_data``.

    Raises:
        DataError: the pose or the calibration is missing or faulty.
    """
    pose = tables.get("ego_pose", sweep["ego_pose_token"])
    mount = tables.get("calibrated_sensor", sweep["calibrated_sensor_token"])
    try:
        return matrix(pose) @ matrix(mount)
    except (ValueError, TypeError) as error:
        raise DataError(f"{tables.table_root}: the pose of sweep {sweep['filename']} is faulty: {error}") from error
