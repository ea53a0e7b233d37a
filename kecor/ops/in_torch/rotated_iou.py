"""Intersection over union of rotated boxes in torch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from kecor.ops.in_torch.chunks import chunks
from kecor.ops.in_torch.polygon import rectangle_intersection
from kecor.ops.tensors import as_boxes7

BYTES_A_PAIR = 32
BYTES_A_CLIPPED_PAIR = 2048


def paired_iou(a: Tensor, b: Tensor, vertical: bool) -> Tensor:
    """(K,) float64 IoU of (K, 7) float64 boxes, pair by pair: of footprints, or of volumes with ``vertical``."""
    shared = rectangle_intersection(a, b)
    size_a, size_b = a[:, 3] * a[:, 4], b[:, 3] * b[:, 4]
    meet = shared > 0
    if vertical:
        top = torch.minimum(a[:, 2] + 0.5 * a[:, 5], b[:, 2] + 0.5 * b[:, 5])
        height = top - torch.maximum(a[:, 2] - 0.5 * a[:, 5], b[:, 2] - 0.5 * b[:, 5])
        meet &= (height > 0) & (a[:, 5] > 0) & (b[:, 5] > 0)
        shared, size_a, size_b = shared * height, size_a * a[:, 5], size_b * b[:, 5]
    return (shared / (size_a + size_b - shared)).clamp_max(1.0).where(meet, 0.0)


def near_pairs(a: Tensor, b: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of (N, 7) and (M, 7) boxes whose circumscribed circles meet, in row-major order, some at a time."""
    radius_a, radius_b = 0.5 * a[:, 3:5].square().sum(1).sqrt(), 0.5 * b[:, 3:5].square().sum(1).sqrt()
    for some in chunks(len(a), BYTES_A_PAIR * len(b)):
        x, y = (b[:, :2].T[:, None] - a[some, :2].T[:, :, None]).square_()
        i, j = (x + y < (radius_a[some, None] + radius_b).square_()).nonzero().T
        for pairs in chunks(len(i), BYTES_A_CLIPPED_PAIR):
            yield i[pairs] + some.start, j[pairs]


def _pairwise(a: Tensor, b: Tensor, vertical: bool) -> Tensor:
    a, b = as_boxes7(a, "a"), as_boxes7(b, "b")
    iou = torch.zeros(len(a), len(b), device=a.device)
    for i, j in near_pairs(a, b):
        iou[i, j] = paired_iou(a[i], b[j], vertical).float()
    return iou


def iou_bev(a: Tensor, b: Tensor) -> Tensor:
    """As :func:`kecor.ops.iou_bev`."""
    return _pairwise(a, b, False)


def iou_3d(a: Tensor, b: Tensor) -> Tensor:
    """As :func:`kecor.ops.iou_3d`."""
    return _pairwise(a, b, True)


def iou_3d_paired(a: Tensor, b: Tensor) -> Tensor:
    """As :func:`kecor.ops.iou_3d_paired`."""
    a, b = as_boxes7(a, "a"), as_boxes7(b, "b")
    if len(a) != len(b):
        raise ValueError(f"a and b: expected as many boxes, got {len(a)} and {len(b)}")
    iou = torch.zeros(len(a), device=a.device)
    for some in chunks(len(a), BYTES_A_CLIPPED_PAIR):
        iou[some] = paired_iou(a[some], b[some], True).float()
    return iou
