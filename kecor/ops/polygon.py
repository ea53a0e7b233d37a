"""Intersection area of two rotated rectangles, used by rotated IoU, NMS and the KITTI and Waymo evaluations.

numba's on-disk cache checks the file of a compiled function, but not the files of functions it calls: after a change
here, delete the ``__pycache__`` folders of ``kecor/ops`` and ``kecor/evaluation``.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

MAX_VERTICES = 20
"""Size of the vertex buffers. A clipped rectangle has 8 vertices, or up to 19 if rounding makes a side cross a clip
line repeatedly."""


@njit(cache=True, nogil=True)
def _keep_below(x, y, n, limit, out_x, out_y):
    """Clip a convex polygon of ``n`` vertices to x <= limit (one step of Sutherland and Hodgman 1974)."""
    kept = 0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        here, there = limit - x[i], limit - x[j]
        if here >= 0.0:
            out_x[kept], out_y[kept] = x[i], y[i]
            kept += 1
        if (here > 0.0 and there < 0.0) or (here < 0.0 and there > 0.0):
            t = here / (here - there)  # the signs differ, so the quotient lies in (0, 1)
            out_x[kept], out_y[kept] = limit, y[i] + t * (y[j] - y[i])
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def rectangle_intersection(ax, ay, adx, ady, aheading, bx, by, bdx, bdy, bheading):
    """Intersection area of two rectangles, given by centre, sizes along their own axes and heading in radians.

    Returns 0 if a size is not positive. Rectangle b is transformed into the frame of a and clipped to the four sides of
    a. Working near the origin keeps precision wherever the boxes are.
    """
    if adx <= 0.0 or ady <= 0.0 or bdx <= 0.0 or bdy <= 0.0:
        return 0.0
    ox, oy = bx - ax, by - ay
    ca, sa = np.cos(aheading), np.sin(aheading)
    c, s = np.cos(bheading - aheading), np.sin(bheading - aheading)
    cx, cy = ox * ca + oy * sa, oy * ca - ox * sa
    x, y = np.empty(MAX_VERTICES), np.empty(MAX_VERTICES)
    u, v = np.empty(MAX_VERTICES), np.empty(MAX_VERTICES)
    for i in range(4):
        lx = 0.5 * bdx if i == 0 or i == 3 else -0.5 * bdx
        ly = 0.5 * bdy if i < 2 else -0.5 * bdy
        x[i], y[i] = cx + lx * c - ly * s, cy + lx * s + ly * c
    n = 4
    for side in range(4):
        n = _keep_below(x, y, n, 0.5 * adx if side % 2 == 0 else 0.5 * ady, u, v)
        for i in range(n):  # rotate by 90 degrees, so that the next side of a is at +x
            x[i], y[i] = v[i], -u[i]
    twice = 0.0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        twice += x[i] * y[j] - x[j] * y[i]
    return max(0.5 * twice, 0.0)


@njit(cache=True, nogil=True)
def circumradius(boxes):
    """(M,) circumradius of the footprints of (M, 7) boxes."""
    return 0.5 * np.sqrt(boxes[:, 3] * boxes[:, 3] + boxes[:, 4] * boxes[:, 4])


@njit(cache=True, nogil=True)
def box_overlap(a, i, b, j, reach, vertical):
    """IoU of box ``a[i]`` and box ``b[j]``, in bird's-eye view or, with ``vertical``, in 3D.

    ``reach`` is the sum of their circumradii; boxes whose centres are further apart do not overlap, which is the quick
    way out for most pairs.
    """
    ox, oy = b[j, 0] - a[i, 0], b[j, 1] - a[i, 1]
    if ox * ox + oy * oy >= reach * reach:
        return 0.0
    height = 0.0
    if vertical:
        top = min(a[i, 2] + 0.5 * a[i, 5], b[j, 2] + 0.5 * b[j, 5])
        height = top - max(a[i, 2] - 0.5 * a[i, 5], b[j, 2] - 0.5 * b[j, 5])
        if height <= 0.0 or a[i, 5] <= 0.0 or b[j, 5] <= 0.0:
            return 0.0
    shared = rectangle_intersection(
        a[i, 0], a[i, 1], a[i, 3], a[i, 4], a[i, 6], b[j, 0], b[j, 1], b[j, 3], b[j, 4], b[j, 6]
    )
    if shared <= 0.0:
        return 0.0
    size_a, size_b = a[i, 3] * a[i, 4], b[j, 3] * b[j, 4]
    if vertical:
        shared *= height
        size_a *= a[i, 5]
        size_b *= b[j, 5]
    return min(shared / (size_a + size_b - shared), 1.0)


def _keep_below_torch(x: Tensor, y: Tensor, n: Tensor, limit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Clip K convex polygons to x <= limit: (K, V) vertex buffers with ``n`` (K, 1) vertices in use, (K, 1) limits."""
    slot = torch.arange(x.shape[1], device=x.device)
    following = (slot + 1).where(slot + 1 < n, 0)
    here, there = limit - x, limit - x.gather(1, following)
    stays = (slot < n) & (here >= 0)
    crosses = (slot < n) & (((here > 0) & (there < 0)) | ((here < 0) & (there > 0)))
    crossing_y = y + here / (here - there) * (y.gather(1, following) - y)  # valid only where the signs differ
    keep = torch.stack([stays, crosses], 2).flatten(1)
    room = min(2 * x.shape[1], MAX_VERTICES)
    place = (keep.cumsum(1) - 1).where(keep, room)  # dropped vertices go to an extra last column
    kept_x, kept_y = x.new_zeros(2, len(x), room + 1)
    kept_x.scatter_(1, place, torch.stack([x, limit.expand_as(x)], 2).flatten(1))
    kept_y.scatter_(1, place, torch.stack([y, crossing_y], 2).flatten(1))
    return kept_x[:, :room], kept_y[:, :room], keep.sum(1, keepdim=True)


def rectangle_intersection_torch(a: Tensor, b: Tensor) -> Tensor:
    """(K,) intersection areas of the footprints of (K, 7) float64 boxes, pair by pair; 0 if a size is not positive.

    As in the compiled kernel, b is transformed into the frame of a and clipped to the four sides of a.
    """
    offset = b[:, :2] - a[:, :2]
    cos_a, sin_a = a[:, 6].cos(), a[:, 6].sin()
    cos, sin = (b[:, 6:] - a[:, 6:]).cos(), (b[:, 6:] - a[:, 6:]).sin()
    centre_x = offset[:, 0] * cos_a + offset[:, 1] * sin_a
    centre_y = offset[:, 1] * cos_a - offset[:, 0] * sin_a
    local_x = 0.5 * b[:, 3:4] * b.new_tensor([1, -1, -1, 1])
    local_y = 0.5 * b[:, 4:5] * b.new_tensor([1, 1, -1, -1])
    x = centre_x[:, None] + local_x * cos - local_y * sin
    y = centre_y[:, None] + local_x * sin + local_y * cos
    n = torch.full((len(a), 1), 4, device=a.device)
    for side in range(4):
        x, y, n = _keep_below_torch(x, y, n, 0.5 * a[:, 3 + side % 2, None])
        x, y = y, -x  # rotate by 90 degrees, so that the next side of a is at +x
    slot = torch.arange(x.shape[1], device=x.device)
    following = (slot + 1).where(slot + 1 < n, 0)
    twice = (x * y.gather(1, following) - x.gather(1, following) * y).where(slot < n, 0.0).sum(1)
    has_area = (a[:, 3:5] > 0).all(1) & (b[:, 3:5] > 0).all(1)
    return (0.5 * twice).clamp_min(0.0).where(has_area, 0.0)
