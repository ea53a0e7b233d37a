"""The cloud of a key frame: its sweep and those before it, in one frame, each point with its age."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from kecor.datasets.nuscenes.transforms import lidar_to_global
from kecor.errors import DataError
from kecor.files import read_bytes

if TYPE_CHECKING:
    from kecor.datasets.nuscenes.tables import Tables

COLUMNS = 5
MAX_SWEEP = 1 << 28
"""Largest sweep in bytes: 256 MiB, over 300 times one of nuScenes."""
CLOSE = 1.0
"""Half the side in metres of the square around the sensor whose points are the vehicle's own."""


def read_sweep(path: Path) -> np.ndarray:
    """(N, 5) float32 x, y, z, intensity, ring of a ``.pcd.bin`` file (raw floats, in spite of its name).

    Raises:
        DataError: the file is missing, empty, no whole number of points, or holds values that are not finite.
    """
    data = read_bytes(path, MAX_SWEEP)
    if not data or len(data) % (4 * COLUMNS):
        raise DataError(f"{path}: damaged: {len(data)} bytes are no whole number of points of {4 * COLUMNS} bytes")
    points = np.frombuffer(data, "<f4").reshape(-1, COLUMNS)
    if not np.isfinite(points).all():
        bad = ~np.isfinite(points).all(axis=1)
        raise DataError(f"{path}: damaged: {bad.sum()} of {len(points)} points are not finite")
    return points


def previous_sweeps(tables: Tables, sample_token: str, count: int) -> list[dict[str, Any]]:
    """Records of ``sample_data``: the key frame and up to ``count`` - 1 sweeps before it, newest first.

    There are fewer at the start of a scene.
    """
    chain = [tables.key_frame(sample_token)]
    while len(chain) < count and chain[-1]["prev"]:
        chain.append(tables.get("sample_data", chain[-1]["prev"]))
    return chain


def read_cloud(tables: Tables, sample_token: str, count: int) -> np.ndarray:
    """The points of up to ``count`` sweeps in the frame of the key frame's LiDAR, the newest sweep first.

    Points of the vehicle itself, closer than :data:`CLOSE` along both x and y, are left out of every sweep, as in the
    devkit's ``from_file_multisweep``.

    Returns:
        (N, 5) float32: x, y, z in metres, intensity in [0, 255], age in seconds.

    Raises:
        DataError: a file or a pose is missing or faulty; names the sample.
    """
    sweeps = previous_sweeps(tables, sample_token, count)
    to_key_frame = np.linalg.inv(lidar_to_global(tables, sweeps[0]))
    clouds = []
    for sweep in sweeps:
        try:
            points = read_sweep(sweep_path(tables, sweep))
        except DataError as error:
            raise DataError(f"sample {sample_token}: {error}; unpack its archive again") from error
        cloud = points[(np.abs(points[:, 0]) >= CLOSE) | (np.abs(points[:, 1]) >= CLOSE)]  # a copy
        pose = (to_key_frame @ lidar_to_global(tables, sweep)).astype(np.float32)
        cloud[:, :3] = cloud[:, :3] @ pose[:3, :3].T + pose[:3, 3]
        cloud[:, 4] = 1e-6 * (sweeps[0]["timestamp"] - sweep["timestamp"])
        clouds.append(cloud)
    return np.concatenate(clouds)


def sweep_path(tables: Tables, sweep: dict[str, Any]) -> Path:
    """Where the points of a record of ``sample_data`` lie.

    Raises:
        DataError: the record names a file outside the data set.
    """
    name = PurePosixPath(sweep["filename"])
    if name.is_absolute() or ".." in name.parts:
        raise DataError(f"{tables.table_root}/sample_data.json: {name} is no path inside the data set")
    return Path(tables.dataroot) / name
