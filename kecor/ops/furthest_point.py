"""Furthest-point sampling: a subset of points that covers the cloud evenly."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from kecor.ops.dispatch import is_compiled_for
from kecor.ops.tensors import as_points

BLOCK = 1024
"""Points per inner loop, which tracks only the maximum and not its index, so that it vectorises."""

CHOSEN = np.int32(-1)
"""Marks rows that were chosen already; lower than every distance."""


@njit(cache=True, nogil=True)
def _update_nearest(x, y, z, nearest, px, py, pz):
    """Update the squared distance of each point to its nearest chosen point with one more chosen point (px, py, pz).

    ``nearest`` stores the bits of float32 distances as integers, which have the same order for non-negative floats. A
    maximum of integers vectorises without fast-math, which could change the rounding.

    Returns:
        The maximum of the updated distances.
    """
    furthest = CHOSEN
    for i in range(len(x)):
        dx, dy, dz = x[i] - px, y[i] - py, z[i] - pz
        squared = np.float32((dx * dx + dy * dy) + dz * dz).view(np.int32)
        nearest[i] = squared if squared < nearest[i] else nearest[i]
        furthest = nearest[i] if nearest[i] > furthest else furthest
    return furthest


@njit(cache=True, nogil=True)
def _order(points, n):
    """At most ``n`` distinct rows of finite (N, 3) points, each the furthest from those before it."""
    x, y, z = points[:, 0].copy(), points[:, 1].copy(), points[:, 2].copy()
    nearest = np.full(len(x), np.inf, np.float32).view(np.int32)
    chosen = np.empty(min(n, len(x)), np.int64)
    row = 0
    for k in range(len(chosen)):
        chosen[k] = row
        nearest[row] = CHOSEN
        furthest, row = CHOSEN, 0
        for i in range(0, len(x), BLOCK):
            j = i + BLOCK
            block = _update_nearest(x[i:j], y[i:j], z[i:j], nearest[i:j], x[chosen[k]], y[chosen[k]], z[chosen[k]])
            if block > furthest:
                furthest, row = block, i
        while nearest[row] != furthest:
            row += 1
    return chosen


def furthest_point_order_torch(points: Tensor, n: int) -> Tensor:
    """At most ``n`` distinct rows of finite (N, 3) float32 points, each the furthest from those before it."""
    columns = points.T.contiguous()
    nearest = torch.full_like(columns[0], torch.inf)
    chosen = torch.empty(min(n, len(points)), dtype=torch.int64, device=points.device)
    row = torch.zeros(1, dtype=torch.int64, device=points.device)
    for k in range(len(chosen)):
        chosen[k : k + 1] = row
        x, y, z = (columns - columns.index_select(1, row)).square_()
        nearest = torch.minimum(nearest, (x + y) + z)
        nearest.index_fill_(0, row, -1.0)  # never chosen again
        row = nearest.argmax(keepdim=True)  # the first of equal distances
    return chosen


def furthest_point_sample(points: Tensor, n: int) -> Tensor:
    """Rows of ``n`` points, starting with row 0, each the furthest from those before it.

    Squared distances are ``(dx * dx + dy * dy) + dz * dz`` with every step rounded to float32, and ties go to the
    lowest row, so all devices return the same rows. If there are fewer than ``n`` points, the sequence of all points is
    repeated (Shi et al. 2020). Points that are not finite are ignored.

    Args:
        points: (N, >=3) floating; x, y, z and further columns.
        n: number of rows.

    Returns:
        (n,) int64 on the device of ``points``; (0,) if there is no finite point.

    Raises:
        ValueError: ``points`` has a wrong shape or type, or ``n`` is negative.
    """
    points = as_points(points, "points")
    if n < 0:
        raise ValueError(f"n: expected at least 0, got {n}")
    finite = torch.isfinite(points).all(1).nonzero().flatten()
    if not len(finite):
        return finite
    points = points[finite]
    if is_compiled_for(points):
        order = torch.from_numpy(_order(points.numpy(), n))
    else:
        order = furthest_point_order_torch(points, n)
    return finite[order][torch.arange(n, device=order.device) % len(finite)]
