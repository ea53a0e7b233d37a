"""Points in boxes in torch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from kecor.ops.in_torch.chunks import chunks
from kecor.ops.in_torch.turns import turns
from kecor.ops.tensors import as_boxes7, as_rows

BYTES_A_PAIR = 56


def _holds(points: Tensor, boxes: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Which of (M, 7) float64 boxes hold which of some points of (N, 3): the slice of those and (n, M) bool."""
    cos, sin = turns(boxes[:, 6])
    for some in chunks(len(points), BYTES_A_PAIR * len(boxes)):
        x, y, z = points[some].T[:, :, None] - boxes[:, :3].T[:, None]
        inside = z.abs_() <= 0.5 * boxes[:, 5]
        inside &= (x * cos + y * sin).abs_() <= 0.5 * boxes[:, 3]
        inside &= (y * cos - x * sin).abs_() <= 0.5 * boxes[:, 4]
        yield some, inside


def points_in_boxes(points: Tensor, boxes: Tensor) -> Tensor:
    """As :func:`kecor.ops.points_in_boxes`."""
    points, boxes = as_rows(points, 3, "points"), as_boxes7(boxes, "boxes")
    first = torch.full((len(points),), -1, dtype=torch.int32, device=points.device)
    if len(boxes):
        number = torch.arange(len(boxes), dtype=torch.int32, device=points.device)
        for some, inside in _holds(points, boxes):
            lowest = number.where(inside, len(boxes)).amin(1)
            first[some] = lowest.where(lowest < len(boxes), -1)
    return first


def count_points_in_boxes(points: Tensor, boxes: Tensor) -> Tensor:
    """As :func:`kecor.ops.count_points_in_boxes`."""
    points, boxes = as_rows(points, 3, "points"), as_boxes7(boxes, "boxes")
    count = torch.zeros(len(boxes), dtype=torch.int64, device=points.device)
    for _, inside in _holds(points, boxes):
        count += inside.sum(0)
    return count
