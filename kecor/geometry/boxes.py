"""Corners of boxes and rotation about the vertical axis."""

from __future__ import annotations

import numpy as np

_BEV_SIGNS = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
"""Signs of x and y of a box's corners, counter-clockwise seen from above, starting at front-left."""


def rotate_points(points: np.ndarray, angle: float) -> np.ndarray:
    """Rotate points about the z axis, from +x towards +y.

    Args:
        points: (N, >=2); x and y are rotated, further columns are copied.
        angle: radians.

    Returns:
        A new array of the same shape and floating dtype; float64 for integer points.
    """
    points = np.asarray(points)
    dtype = points.dtype if np.issubdtype(points.dtype, np.floating) else np.float64
    rotated = points.astype(dtype)  # a copy
    c, s = np.cos(angle), np.sin(angle)
    rotated[:, :2] = points[:, :2].astype(np.float64) @ np.array([[c, s], [-s, c]])
    return rotated


def bev_corners(boxes: np.ndarray) -> np.ndarray:
    """(M, 4, 2) float64 x, y of the corners of (M, 7) boxes, counter-clockwise from front-left."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 7)
    local = _BEV_SIGNS * boxes[:, None, 3:5] / 2
    c, s = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    rotation = np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], 1)  # rows: images of the x and y axes
    return local @ rotation + boxes[:, None, :2]


def corners(boxes: np.ndarray) -> np.ndarray:
    """(M, 8, 3) float64 corners of (M, 7) boxes: the bottom face in the order of :func:`bev_corners`, then the top."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 7)
    result = np.empty((len(boxes), 8, 3))
    result[:, :4, :2] = result[:, 4:, :2] = bev_corners(boxes)
    half = boxes[:, 5:6] / 2
    result[:, :4, 2] = boxes[:, 2:3] - half
    result[:, 4:, 2] = boxes[:, 2:3] + half
    return result
