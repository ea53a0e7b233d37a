"""IoU of footprints turned to the nearest axis, in torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kecor.ops.in_torch.chunks import chunks
from kecor.ops.tensors import as_boxes7

BYTES_A_PAIR = 64


def _axis_aligned(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(M, 7) boxes -> (2, M) lower and upper corners and (M,) areas, headings rounded to multiples of 90 degrees."""
    quarter_turns = torch.round(boxes[:, 6] / (math.pi / 2)).long()
    sizes = torch.where((quarter_turns % 2 == 1)[:, None], boxes[:, [4, 3]], boxes[:, 3:5])
    low, high = (boxes[:, :2] - sizes / 2).T, (boxes[:, :2] + sizes / 2).T
    return low, high, (high[0] - low[0]) * (high[1] - low[1])


def iou_bev_aligned(a: Tensor, b: Tensor) -> Tensor:
    """As :func:`kecor.ops.iou_bev_aligned`."""
    low_a, high_a, area_a = _axis_aligned(as_boxes7(a, "a"))
    low_b, high_b, area_b = _axis_aligned(as_boxes7(b, "b"))
    iou = torch.zeros(len(area_a), len(area_b), device=area_a.device)
    for some in chunks(len(area_a), BYTES_A_PAIR * len(area_b)):
        width, height = torch.minimum(high_a[:, some, None], high_b[:, None]) - torch.maximum(
            low_a[:, some, None], low_b[:, None]
        )
        shared = width * height
        overlap = shared / (area_a[some, None] + area_b - shared)
        iou[some] = overlap.where((width > 0) & (height > 0), 0.0).float()
    return iou
