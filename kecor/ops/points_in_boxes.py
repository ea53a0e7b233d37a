"""Points inside rotated boxes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numba import njit
from torch import Tensor

from kecor.ops import tensors
from kecor.ops.arrays import as_boxes7, as_rows
from kecor.ops.chunks import chunks
from kecor.ops.dispatch import also_for_tensors


@njit(cache=True, nogil=True)
def _contains(box, c, s, x, y, z):
    """Whether a (7,) box contains a point, faces included; ``c`` and ``s`` are cosine and sine of its heading."""
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
            if _contains(boxes[j], cos[j], sin[j], points[i, 0], points[i, 1], points[i, 2]):
                first[i] = j
                break
    return first


@njit(cache=True, nogil=True)
def _count(points, boxes):
    count = np.zeros(len(boxes), np.int64)
    cos, sin = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    for j in range(len(boxes)):
        for i in range(len(points)):
            if _contains(boxes[j], cos[j], sin[j], points[i, 0], points[i, 1], points[i, 2]):
                count[j] += 1
    return count


@njit(cache=True, nogil=True)
def _cos_sin(headings):
    return np.cos(headings), np.sin(headings)


def cos_sin(headings: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of (M,) float64 headings, computed on the CPU as in the compiled kernels.

    Math libraries differ in the last digit, which could move a point on a face in or out of the box.
    """
    cos, sin = _cos_sin(headings.cpu().numpy())
    return torch.from_numpy(cos).to(headings.device), torch.from_numpy(sin).to(headings.device)


BYTES_PER_PAIR = 56
"""Memory of the intermediate tensors of :func:`_contains_torch` per point and box."""


def _contains_torch(points: Tensor, boxes: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """For chunks of the (N, 3) points: the slice of the chunk and (n, M) bool, whether each box contains each point."""
    cos, sin = cos_sin(boxes[:, 6])
    for chunk in chunks(len(points), BYTES_PER_PAIR * len(boxes)):
        x, y, z = points[chunk].T[:, :, None] - boxes[:, :3].T[:, None]
        inside = z.abs_() <= 0.5 * boxes[:, 5]
        inside &= (x * cos + y * sin).abs_() <= 0.5 * boxes[:, 3]
        inside &= (y * cos - x * sin).abs_() <= 0.5 * boxes[:, 4]
        yield chunk, inside


def points_in_boxes_torch(points: Tensor, boxes: Tensor) -> Tensor:
    """:func:`kecor.ops.points_in_boxes` in torch."""
    points, boxes = tensors.as_rows(points, 3, "points"), tensors.as_boxes7(boxes, "boxes")
    first = torch.full((len(points),), -1, dtype=torch.int32, device=points.device)
    if len(boxes):
        number = torch.arange(len(boxes), dtype=torch.int32, device=points.device)
        for chunk, inside in _contains_torch(points, boxes):
            lowest = number.where(inside, len(boxes)).amin(1)
            first[chunk] = lowest.where(lowest < len(boxes), -1)
    return first


def count_points_in_boxes_torch(points: Tensor, boxes: Tensor) -> Tensor:
    """:func:`kecor.ops.count_points_in_boxes` in torch."""
    points, boxes = tensors.as_rows(points, 3, "points"), tensors.as_boxes7(boxes, "boxes")
    count = torch.zeros(len(boxes), dtype=torch.int64, device=points.device)
    for _, inside in _contains_torch(points, boxes):
        count += inside.sum(0)
    return count


@also_for_tensors(points_in_boxes_torch)
def points_in_boxes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Index of the first box that contains each point, faces included; -1 if none does.

    Args:
        points: (N, >=3) x, y, z and further columns.
        boxes: (M, 7).

    Returns:
        (N,) int32.

    Raises:
        ValueError: an argument has a wrong shape.
    """
    return _first_box(as_rows(points, 3, "points"), as_boxes7(boxes, "boxes"))


@also_for_tensors(count_points_in_boxes_torch)
def count_points_in_boxes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(M,) int64 number of ``points`` (N, >=3) in each of ``boxes`` (M, 7); a point may count in several boxes.

    Raises:
        ValueError: an argument has a wrong shape.
    """
    return _count(as_rows(points, 3, "points"), as_boxes7(boxes, "boxes"))
