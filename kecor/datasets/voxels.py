"""Points to voxels: a hash table gathers the points of each cell, and each cell's mean is its feature."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numba import njit

from kecor.structures import Frame

_MULTIPLIER = -7046029254386353131
"""2**64 divided by the golden ratio, as int64: spreads cell numbers over a hash table (Knuth vol. 3, 6.4)."""


def grid_size(point_cloud_range: Sequence[float], voxel_size: Sequence[float]) -> np.ndarray:
    """(3,) int64 number of cells along x, y, z of ``(x0, y0, z0, x1, y1, z1)`` metres."""
    low, high = np.asarray(point_cloud_range, np.float64).reshape(2, 3)
    return np.round((high - low) / np.asarray(voxel_size, np.float64)).astype(np.int64)


def voxelize(
    points: np.ndarray,
    point_cloud_range: Sequence[float],
    voxel_size: Sequence[float],
    max_points: int,
    max_voxels: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The occupied voxels of a cloud, in the order in which its points open them.

    A voxel's feature is the mean of its first ``max_points`` points. Once ``max_voxels`` are open, points that would
    open another are dropped, while those that fall into an open one still count (Zhou and Tuzel, CVPR 2018, 2.1 with
    the order of the points in place of a random sample). Points outside the range, its upper faces included, are
    dropped, and so are points that are not finite. A point's cell is ``floor((point - low) / size)``, each step rounded
    to float32 as in spconv: in float64, points on a face between two cells would often fall into the other one.

    Args:
        points: (N, C) x, y, z in metres and further channels.
        point_cloud_range: x0, y0, z0, x1, y1, z1 in metres.
        voxel_size: along x, y, z in metres.

    Returns:
        (V, C) float32 features and (V, 3) int32 cell positions along z, y, x.
    """
    return _voxelize(
        np.array(points, np.float32, order="C"),  # a copy: a read-only array would be compiled for anew
        np.asarray(point_cloud_range[:3], np.float32),
        np.asarray(voxel_size, np.float32),
        grid_size(point_cloud_range, voxel_size),
        max_points,
        max_voxels,
    )


def voxel_counts(frames: Iterable[Frame], point_cloud_range: Sequence[float], size: Sequence[float]) -> np.ndarray:
    """(F,) occupied voxels of each frame, without a limit."""
    return np.array(
        [len(voxelize(f.points[:, :3], point_cloud_range, size, 1, len(f.points))[0]) for f in frames], np.int64
    )


@njit(cache=True, nogil=True)
def _voxelize(points, low, size, grid, max_points, max_voxels):
    n, channels = points.shape
    capacity = 16
    while capacity < 2 * n:  # at most half full: short probes
        capacity *= 2
    keys = np.full(capacity, -1, np.int64)
    slots = np.empty(capacity, np.int32)
    most = min(n, max_voxels)
    sums = np.zeros((most, channels), np.float64)
    counts = np.zeros(most, np.int32)
    coords = np.empty((most, 3), np.int32)
    voxels = 0
    for i in range(n):
        fx = np.floor((points[i, 0] - low[0]) / size[0])
        fy = np.floor((points[i, 1] - low[1]) / size[1])
        fz = np.floor((points[i, 2] - low[2]) / size[2])
        if not (0 <= fx < grid[0] and 0 <= fy < grid[1] and 0 <= fz < grid[2]):
            continue
        x, y, z = np.int64(fx), np.int64(fy), np.int64(fz)
        key = (z * grid[1] + y) * grid[0] + x
        place = ((key * _MULTIPLIER) >> 32) & (capacity - 1)
        while keys[place] != key and keys[place] != -1:
            place = (place + 1) & (capacity - 1)
        if keys[place] == -1:
            if voxels == most:
                continue
            keys[place] = key
            slots[place] = voxels
            coords[voxels, 0], coords[voxels, 1], coords[voxels, 2] = z, y, x
            voxels += 1
        voxel = slots[place]
        if counts[voxel] < max_points:
            counts[voxel] += 1
            for c in range(channels):
                sums[voxel, c] += points[i, c]
    features = np.empty((voxels, channels), np.float32)
    for voxel in range(voxels):
        for c in range(channels):
            features[voxel, c] = sums[voxel, c] / counts[voxel]
    return features, coords[:voxels].copy()
