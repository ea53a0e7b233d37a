"""IoU of footprints turned to the nearest axis: the cheap overlap that anchors are matched by."""

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
    """(M, 7) boxes -> (M, 4) x and y of the lower and upper corner, the heading rounded to a multiple of 90 degrees."""
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


BYTES_A_PAIR = 64


def _axis_aligned_torch(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(M, 7) boxes -> (2, M) lower and upper corners and (M,) areas, headings rounded to multiples of 90 degrees."""
    quarter_turns = torch.round(boxes[:, 6] / (math.pi / 2)).long()
    sizes = torch.where((quarter_turns % 2 == 1)[:, None], boxes[:, [4, 3]], boxes[:, 3:5])
    low, high = (boxes[:, :2] - sizes / 2).T, (boxes[:, :2] + sizes / 2).T
    return low, high, (high[0] - low[0]) * (high[1] - low[1])


def iou_bev_aligned_torch(a: Tensor, b: Tensor) -> Tensor:
    """As :func:`kecor.ops.iou_bev_aligned`."""
    low_a, high_a, area_a = _axis_aligned_torch(tensors.as_boxes7(a, "a"))
    low_b, high_b, area_b = _axis_aligned_torch(tensors.as_boxes7(b, "b"))
    iou = torch.zeros(len(area_a), len(area_b), device=area_a.device)
    for some in chunks(len(area_a), BYTES_A_PAIR * len(area_b)):
        width, height = torch.minimum(high_a[:, some, None], high_b[:, None]) - torch.maximum(
            low_a[:, some, None], low_b[:, None]
        )
        shared = width * height
        overlap = shared / (area_a[some, None] + area_b - shared)
        iou[some] = overlap.where((width > 0) & (height > 0), 0.0).float()
    return iou


@also_for_tensors(iou_bev_aligned_torch)
def iou_bev_aligned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of footprints, each box's heading rounded to the nearest multiple of 90 degrees.

    Args:
        a: (N, 7) boxes.
        b: (M, 7) boxes.

    Returns:
        (N, M) float32 in [0, 1]; a box without area overlaps nothing.

    Raises:
        ValueError: an argument is not (M, 7).
    """
    return _pairwise(_axis_aligned(as_boxes7(a, "a")), _axis_aligned(as_boxes7(b, "b")))
