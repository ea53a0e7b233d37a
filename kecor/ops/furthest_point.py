"""Furthest-point sampling: a few points that cover a cloud evenly."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from kecor.ops.dispatch import is_compiled_for
from kecor.ops.tensors import as_points

BLOCK = 1024
"""Points between two looks at the maximum: the inner loop keeps no index, so that it vectorises."""

CHOSEN = np.int32(-1)
"""In place of the distance of a row that is taken: below every distance."""


@njit(cache=True, nogil=True)
def _lower(x, y, z, nearest, px, py, pz):
    """Lower the squared distances to the chosen points by those to one more; their maximum.

    ``nearest`` holds the bits of float32 distances: floats that are not negative order as their bits do, and the
    maximum of integers vectorises without licence to reorder or fuse the arithmetic, which the devices agree on.
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
    """Rows of the finite (N, 3) points, furthest first, each at most once; at most ``n``."""
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
            block = _lower(x[i:j], y[i:j], z[i:j], nearest[i:j], x[chosen[k]], y[chosen[k]], z[chosen[k]])
            if block > furthest:
                furthest, row = block, i
        while nearest[row] != furthest:
            row += 1
    return chosen


def furthest_point_order_torch(points: Tensor, n: int) -> Tensor:
    """Rows of finite (N, 3) float32 points, each furthest from those before it; each at most once, at most ``n``."""
    columns = points.T.contiguous()
    nearest = torch.full_like(columns[0], torch.inf)
    chosen = torch.empty(min(n, len(points)), dtype=torch.int64, device=points.device)
    row = torch.zeros(1, dtype=torch.int64, device=points.device)
    for k in range(len(chosen)):
        chosen[k : k + 1] = row
        x, y, z = (columns - columns.index_select(1, row)).square_()
        nearest = torch.minimum(nearest, (x + y) + z)
        nearest.index_fill_(0, row, -1.0)  # not again
        row = nearest.argmax(keepdim=True)  # the first of equals
    return chosen


def furthest_point_sample(points: Tensor, n: int) -> Tensor:
    """Rows of ``n`` points, each the furthest from those before it, the first being row 0.

    Squared distances are float32, ``(dx * dx + dy * dy) + dz * dz`` with every step rounded, so that all devices
    choose the same rows; between equal distances the lowest row comes first. No row comes twice before all have come:
    where there are fewer than ``n``, their order is repeated from its start (Shi et al. 2020). Points that are not
    finite count as absent.

    Args:
        points: (N, >=3) floating; x, y, z and further columns.
        n: rows wanted.

    Returns:
        (n,) int64 on the device of ``points``; (0,) where there is no finite point.

    Raises:
        ValueError: ``points`` has another shape or type, or ``n`` is negative.
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
