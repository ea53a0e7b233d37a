"""Area that two rotated rectangles share: the kernel under rotated IoU, NMS and the KITTI evaluation.

numba's on-disk cache follows a function's own file, not the files it calls into: after a change here, delete the
``__pycache__`` folders of ``kecor/ops`` and ``kecor/evaluation``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MAX_VERTICES = 20
"""Room for a clipped rectangle: 8 vertices, and at most 19 should rounding make its sides waver across a clip line."""


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
    """Shared area of two rectangles, each given by centre, full sizes along its own axes and heading in radians.

    A size that is not positive gives 0. Rectangle b is brought into a's frame, where a is axis-aligned about the
    origin, and clipped to a's four sides; working near the origin keeps the precision wherever the boxes lie.
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
        for i in range(n):  # a quarter turn brings the next side of a to +x
            x[i], y[i] = v[i], -u[i]
    twice = 0.0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        twice += x[i] * y[j] - x[j] * y[i]
    return max(0.5 * twice, 0.0)


@njit(cache=True, nogil=True)
def circumradius(boxes):
    """(M,) radius of the circle around each footprint of (M, 7) boxes."""
    return 0.5 * np.sqrt(boxes[:, 3] * boxes[:, 3] + boxes[:, 4] * boxes[:, 4])


@njit(cache=True, nogil=True)
def box_overlap(a, i, b, j, reach, vertical):
    """IoU of row ``i`` of (N, 7) boxes ``a`` and row ``j`` of ``b``: of footprints, or of volumes with ``vertical``.

    Boxes whose centres lie ``reach`` or more apart, the sum of their circumradii, do not meet: most pairs end there.
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
