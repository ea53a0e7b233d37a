"""Which points lie in which boxes."""

from __future__ import annotations

import numpy as np
from numba import njit

from kecor.ops.arrays import as_boxes7, as_rows
from kecor.ops.dispatch import also_for_tensors
from kecor.ops.in_torch import inside as in_torch


@njit(cache=True, nogil=True)
def _holds(box, c, s, x, y, z):
    """Whether a (7,) box with ``c, s = cos, sin`` of its heading holds a point, its faces included."""
    if abs(z - box[2]) > 0.5 * box[5]:
        return False
    ox, oy = x - box[0], y - box[1]
    return abs(ox * c + oy * s) <= 0.5 * box[3] and abs(oy * c - ox * s) <= 0.5 * box[4]


@njit(cache=True, nogil=True)
def _first_box(points, boxes):
    first = np.full(len(points), -1, np.int32)
    cos, sin = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    for i in range(len(points)):
        for j in range(len(boxes)):
            if _holds(boxes[j], cos[j], sin[j], points[i, 0], points[i, 1], points[i, 2]):
                first[i] = j
                break
    return first


@njit(cache=True, nogil=True)
def _count(points, boxes):
    count = np.zeros(len(boxes), np.int64)
    cos, sin = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    for j in range(len(boxes)):
        for i in range(len(points)):
            if _holds(boxes[j], cos[j], sin[j], points[i, 0], points[i, 1], points[i, 2]):
                count[j] += 1
    return count


@also_for_tensors(in_torch.points_in_boxes)
def points_in_boxes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Index of the first box that holds each point, its faces included; -1 where none does.

    Args:
        points: (N, >=3) x, y, z and further columns.
        boxes: (M, 7).

    Returns:
        (N,) int32.

    Raises:
        ValueError: an argument has another shape.
    """
    return _first_box(as_rows(points, 3, "points"), as_boxes7(boxes, "boxes"))


@also_for_tensors(in_torch.count_points_in_boxes)
def count_points_in_boxes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(M,) int64 number of ``points`` (N, >=3) in each of ``boxes`` (M, 7), each box counted on its own.

    Raises:
        ValueError: an argument has another shape.
    """
    return _count(as_rows(points, 3, "points"), as_boxes7(boxes, "boxes"))
