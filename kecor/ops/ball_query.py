"""Ball query: the first points within a radius of each centre."""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

from kecor.ops.chunks import chunks
from kecor.ops.dispatch import is_compiled_for
from kecor.ops.tensors import as_points

MARGIN = 1.0 + 1e-6
"""Factor on the radius when cells are searched; float32 distances have a relative error of at most 1e-7."""


@njit(cache=True, nogil=True)
def _grid(points, radius):
    """Sort finite (N, 3) points into cubic cells at least one radius wide; at most 4 N + 1024 cells.

    Returns:
        origin (3,), edge length of the cells, number of cells along each axis (3,), start of each cell in the sorted
        rows (cells + 1,), and the rows of the points sorted by cell (N,), ascending within a cell.
    """
    origin, extent = np.empty(3), np.empty(3)
    for axis in range(3):
        origin[axis] = points[:, axis].min()
        extent[axis] = points[:, axis].max() - origin[axis]
    edge = max(radius, extent.max() / len(points) / 4.0)
    while np.prod(np.floor(extent / edge) + 1.0) > 4.0 * len(points) + 1024.0:
        edge *= 1.25
    shape = (np.floor(extent / edge) + 1.0).astype(np.int64)
    cell = np.empty(len(points), np.int64)
    begin = np.zeros(shape[0] * shape[1] * shape[2] + 1, np.int64)
    for i in range(len(points)):
        cell[i] = 0
        for axis in range(3):
            cell[i] = cell[i] * shape[axis] + int((points[i, axis] - origin[axis]) / edge)
        begin[cell[i] + 1] += 1
    begin = np.cumsum(begin)
    free, rows = begin[:-1].copy(), np.empty(len(points), np.int64)
    for i in range(len(points)):
        rows[free[cell[i]]] = i
        free[cell[i]] += 1
    return origin, edge, shape, begin, rows


@njit(cache=True, nogil=True)
def _scan_cell(near, rows, first, last, centre, limit, found, n):
    """Insert the rows ``first`` to ``last`` of one cell that lie in the ball into ``found``, which holds ``n`` rows in
    ascending order; return the new ``n``."""
    for k in range(first, last):
        row = rows[k]
        if n == len(found) and row > found[n - 1]:
            break
        dx, dy, dz = near[k, 0] - centre[0], near[k, 1] - centre[1], near[k, 2] - centre[2]
        if (dx * dx + dy * dy) + dz * dz < limit:
            n = min(n + 1, len(found))
            position = n - 1
            while position > 0 and found[position - 1] > row:
                found[position] = found[position - 1]
                position -= 1
            found[position] = row
    return n


@njit(cache=True, nogil=True)
def _query(points, centres, radius, limit, n_samples):
    """(E,) rows of the points in the ball of each centre, ascending per centre, and (M,) their numbers."""
    found = np.empty((len(centres), min(n_samples, len(points))), np.int64)
    counts = np.zeros(len(centres), np.int64)
    origin, edge, shape, begin, rows = _grid(points, radius)
    near = points[rows]
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for m in range(len(centres)):
        for axis in range(3):
            offset = centres[m, axis] - origin[axis]
            low[axis] = int(min(max((offset - radius * MARGIN) / edge, 0.0), float(shape[axis])))
            high[axis] = int(min(max((offset + radius * MARGIN) / edge, -1.0), shape[axis] - 1.0))
        n = 0
        for x in range(low[0], high[0] + 1):
            for y in range(low[1], high[1] + 1):
                for z in range(low[2], high[2] + 1):
                    cell = (x * shape[1] + y) * shape[2] + z
                    if begin[cell] < begin[cell + 1]:  # most cells are empty; checking here is cheaper than a call
                        n = _scan_cell(near, rows, begin[cell], begin[cell + 1], centres[m], limit, found[m], n)
        counts[m] = n
    index, e = np.empty(counts.sum(), np.int64), 0
    for m in range(len(centres)):
        for k in range(counts[m]):
            index[e] = found[m, k]
            e += 1
    return index, counts


BYTES_PER_PAIR = 40
"""Memory of the intermediate tensors of :func:`ball_query_torch` per point and centre."""


def ball_query_torch(points: Tensor, centres: Tensor, limit: Tensor, n_samples: int) -> tuple[Tensor, Tensor]:
    """The first ``n_samples`` points whose squared distance to each centre is below ``limit``.

    Args:
        points: (N, 3) float32.
        centres: (M, 3) float32.
        limit: square of the radius, float32.
        n_samples: largest number of points per centre.

    Returns:
        (E,) int64 rows of the points, centre by centre, and (M,) int64 number of points of each centre.
    """
    index, counts = [centres.new_zeros(0, dtype=torch.int64)], torch.zeros_like(centres[:, 0], dtype=torch.int64)
    for chunk in chunks(len(centres), BYTES_PER_PAIR * len(points)):
        x, y, z = (points.T[:, None] - centres[chunk].T[:, :, None]).square_()
        near = (x + y) + z < limit
        near &= near.cumsum(1, dtype=torch.int32) <= n_samples
        index.append(near.nonzero()[:, 1])
        counts[chunk] = near.sum(1)
    return torch.cat(index), counts


def ball_query(points: Tensor, centres: Tensor, radius: float, n_samples: int) -> tuple[Tensor, Tensor]:
    """The first ``n_samples`` points, in row order, that are nearer than ``radius`` to each centre.

    Squared distances are ``(dx * dx + dy * dy) + dz * dz`` with every step rounded to float32, compared with
    ``radius ** 2`` rounded to float32, so all devices return the same rows. Points and centres that are not finite have
    no neighbours.

    Args:
        points: (N, >=3) floating; x, y, z and further columns.
        centres: (M, >=3) floating; x, y, z and further columns.
        radius: metres.
        n_samples: largest number of points per centre.

    Returns:
        (E,) int64 rows of ``points``, centre by centre and ascending within a centre, and (M,) int64 number of points
        of each centre.

    Raises:
        ValueError: an argument has a wrong shape or type, ``radius`` is not positive or ``n_samples`` is below 1.
    """
    points, centres = as_points(points, "points"), as_points(centres, "centres")
    if not 0 < radius < math.inf:
        raise ValueError(f"radius: expected a positive number, got {radius}")
    if n_samples < 1:
        raise ValueError(f"n_samples: expected at least 1, got {n_samples}")
    limit = torch.tensor(radius * radius, dtype=torch.float32)
    if not is_compiled_for(points):
        return ball_query_torch(points, centres, limit, n_samples)
    finite_points = torch.isfinite(points).all(1).nonzero().flatten()
    finite_centres = torch.isfinite(centres).all(1).nonzero().flatten()
    counts = torch.zeros(len(centres), dtype=torch.int64)
    if not len(finite_points) or not len(finite_centres):
        return finite_points[:0], counts
    index, found = _query(
        points[finite_points].numpy(), centres[finite_centres].numpy(), float(radius), limit.numpy()[()], n_samples
    )
    counts[finite_centres] = torch.from_numpy(found)
    return finite_points[torch.from_numpy(index)], counts
