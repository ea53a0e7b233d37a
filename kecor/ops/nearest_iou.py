"""Bird's-eye-view IoU of boxes rotated to the nearest axis: a cheap overlap, used to match anchors."""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

from kecor.ops import tensors
from kecor.ops.arrays import as_boxes7
from kecor.ops.chunks import chunks
from kecor.ops.dispatch import also_for_tensors


def _axis_aligned(boxes: np.ndarray) -> np.ndarray:
    """(M, 4) x, y of the lower and upper corners of (M, 7) boxes, headings rounded to multiples of 90 degrees."""
    quarter_turns = np.rint(boxes[:, 6] / (np.pi / 2)).astype(np.int64)
    sizes = np.where((quarter_turns % 2 == 1)[:, None], boxes[:, [4, 3]], boxes[:, 3:5])
    return np.hstack([boxes[:, :2] - sizes / 2, boxes[:, :2] + sizes / 2])


@njit(cache=True, nogil=True)
def _pairwise(a, b):
    iou = np.zeros((len(a), len(b)), np.float32)
    for i in range(len(a)):
        area = (a[i, 2] - a[i, 0]) * (a[i, 3] - a[i, 1])
        for j in range(len(b)):
            width = min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0])
            height = min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1])
            if width > 0.0 and height > 0.0:
                shared = width * height
                iou[i, j] = shared / (area + (b[j, 2] - b[j, 0]) * (b[j, 3] - b[j, 1]) - shared)
    return iou


BYTES_PER_PAIR = 64
"""Memory of the intermediate tensors of :func:`iou_bev_aligned_torch` per pair of boxes."""


def _axis_aligned_torch(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(2, M) lower and upper corners and (M,) areas of (M, 7) boxes, headings rounded to multiples of 90 degrees."""
    quarter_turns = torch.round(boxes[:, 6] / (math.pi / 2)).long()
    sizes = torch.where((quarter_turns % 2 == 1)[:, None], boxes[:, [4, 3]], boxes[:, 3:5])
    low, high = (boxes[:, :2] - sizes / 2).T, (boxes[:, :2] + sizes / 2).T
    return low, high, (high[0] - low[0]) * (high[1] - low[1])


def iou_bev_aligned_torch(a: Tensor, b: Tensor) -> Tensor:
    """:func:`kecor.ops.iou_bev_aligned` in torch."""
    low_a, high_a, area_a = _axis_aligned_torch(tensors.as_boxes7(a, "a"))
    low_b, high_b, area_b = _axis_aligned_torch(tensors.as_boxes7(b, "b"))
    iou = torch.zeros(len(area_a), len(area_b), device=area_a.device)
    for chunk in chunks(len(area_a), BYTES_PER_PAIR * len(area_b)):
        width, height = torch.minimum(high_a[:, chunk, None], high_b[:, None]) - torch.maximum(
            low_a[:, chunk, None], low_b[:, None]
        )
        shared = width * height
        overlap = shared / (area_a[chunk, None] + area_b - shared)
        iou[chunk] = overlap.where((width > 0) & (height > 0), 0.0).float()
    return iou


@also_for_tensors(iou_bev_aligned_torch)
def iou_bev_aligned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Bird's-eye-view IoU of boxes with headings rounded to the nearest multiple of 90 degrees.

    Args:
        a: (N, 7) boxes.
        b: (M, 7) boxes.

    Returns:
        (N, M) float32 in [0, 1]; 0 for a box without area.

    Raises:
        ValueError: ``a`` is not (N, 7) or ``b`` not (M, 7).
    """
    return _pairwise(_axis_aligned(as_boxes7(a, "a")), _axis_aligned(as_boxes7(b, "b")))
