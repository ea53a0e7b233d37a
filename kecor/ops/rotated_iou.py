"""Intersection over union (IoU) of rotated boxes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numba import njit
from torch import Tensor

from kecor.ops import tensors
from kecor.ops.arrays import as_boxes7
from kecor.ops.chunks import chunks
from kecor.ops.dispatch import also_for_tensors
from kecor.ops.polygon import box_overlap, circumradius, rectangle_intersection_torch


@njit(cache=True, nogil=True)
def _pairwise(a, b, vertical):
    iou = np.zeros((len(a), len(b)), np.float32)
    radius_a, radius_b = circumradius(a), circumradius(b)
    for i in range(len(a)):
        for j in range(len(b)):
            iou[i, j] = box_overlap(a, i, b, j, radius_a[i] + radius_b[j], vertical)
    return iou


@njit(cache=True, nogil=True)
def _paired(a, b, vertical):
    iou = np.zeros(len(a), np.float32)
    reach = circumradius(a) + circumradius(b)
    for i in range(len(a)):
        iou[i] = box_overlap(a, i, b, i, reach[i], vertical)
    return iou


BYTES_PER_PAIR = 32
BYTES_PER_CLIPPED_PAIR = 2048
"""Memory of the intermediate tensors per pair of boxes that is tested for nearness, and that is clipped."""


def paired_iou_torch(a: Tensor, b: Tensor, vertical: bool) -> Tensor:
    """(K,) float64 IoU of (K, 7) float64 boxes, pair by pair; in bird's-eye view or, with ``vertical``, in 3D."""
    shared = rectangle_intersection_torch(a, b)
    size_a, size_b = a[:, 3] * a[:, 4], b[:, 3] * b[:, 4]
    meet = shared > 0
    if vertical:
        top = torch.minimum(a[:, 2] + 0.5 * a[:, 5], b[:, 2] + 0.5 * b[:, 5])
        height = top - torch.maximum(a[:, 2] - 0.5 * a[:, 5], b[:, 2] - 0.5 * b[:, 5])
        meet &= (height > 0) & (a[:, 5] > 0) & (b[:, 5] > 0)
        shared, size_a, size_b = shared * height, size_a * a[:, 5], size_b * b[:, 5]
    return (shared / (size_a + size_b - shared)).clamp_max(1.0).where(meet, 0.0)


def near_pairs_torch(a: Tensor, b: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of the pairs of (N, 7) and (M, 7) boxes whose circumscribed circles overlap, row-major, in chunks."""
    radius_a, radius_b = 0.5 * a[:, 3:5].square().sum(1).sqrt(), 0.5 * b[:, 3:5].square().sum(1).sqrt()
    for chunk in chunks(len(a), BYTES_PER_PAIR * len(b)):
        x, y = (b[:, :2].T[:, None] - a[chunk, :2].T[:, :, None]).square_()
        i, j = (x + y < (radius_a[chunk, None] + radius_b).square_()).nonzero().T
        for pairs in chunks(len(i), BYTES_PER_CLIPPED_PAIR):
            yield i[pairs] + chunk.start, j[pairs]


def _pairwise_torch(a: Tensor, b: Tensor, vertical: bool) -> Tensor:
    a, b = tensors.as_boxes7(a, "a"), tensors.as_boxes7(b, "b")
    iou = torch.zeros(len(a), len(b), device=a.device)
    for i, j in near_pairs_torch(a, b):
        iou[i, j] = paired_iou_torch(a[i], b[j], vertical).float()
    return iou


def iou_bev_torch(a: Tensor, b: Tensor) -> Tensor:
    """:func:`kecor.ops.iou_bev` in torch."""
    return _pairwise_torch(a, b, False)


def iou_3d_torch(a: Tensor, b: Tensor) -> Tensor:
    """:func:`kecor.ops.iou_3d` in torch."""
    return _pairwise_torch(a, b, True)


def iou_3d_paired_torch(a: Tensor, b: Tensor) -> Tensor:
    """:func:`kecor.ops.iou_3d_paired` in torch."""
    a, b = tensors.as_boxes7(a, "a"), tensors.as_boxes7(b, "b")
    if len(a) != len(b):
        raise ValueError(f"a and b: expected the same number of boxes, got {len(a)} and {len(b)}")
    iou = torch.zeros(len(a), device=a.device)
    for chunk in chunks(len(a), BYTES_PER_CLIPPED_PAIR):
        iou[chunk] = paired_iou_torch(a[chunk], b[chunk], True).float()
    return iou


@also_for_tensors(iou_bev_torch)
def iou_bev(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) float32 bird's-eye-view IoU of every box of ``a`` (N, 7) with every box of ``b`` (M, 7).

    0 for a box without area. Computed in float64.

    Raises:
        ValueError: ``a`` is not (N, 7) or ``b`` not (M, 7).
    """
    return _pairwise(as_boxes7(a, "a"), as_boxes7(b, "b"), False)


@also_for_tensors(iou_3d_torch)
def iou_3d(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) float32 3D IoU of every box of ``a`` (N, 7) with every box of ``b`` (M, 7).

    0 for a box without volume. Computed in float64.

    Raises:
        ValueError: ``a`` is not (N, 7) or ``b`` not (M, 7).
    """
    return _pairwise(as_boxes7(a, "a"), as_boxes7(b, "b"), True)


@also_for_tensors(iou_3d_paired_torch)
def iou_3d_paired(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) float32 3D IoU of each box of ``a`` (N, 7) with the box of ``b`` (N, 7) in the same row.

    Equals the diagonal of :func:`iou_3d`.

    Raises:
        ValueError: an argument is not (N, 7), or their lengths differ.
    """
    a, b = as_boxes7(a, "a"), as_boxes7(b, "b")
    if len(a) != len(b):
        raise ValueError(f"a and b: expected the same number of boxes, got {len(a)} and {len(b)}")
    return _paired(a, b, True)
