"""Intersection over union of rotated boxes."""

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


BYTES_A_PAIR = 32
BYTES_A_CLIPPED_PAIR = 2048


def paired_iou_torch(a: Tensor, b: Tensor, vertical: bool) -> Tensor:
    """(K,) float64 IoU of (K, 7) float64 boxes, pair by pair: of footprints, or of volumes with ``vertical``."""
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
    """Rows of (N, 7) and (M, 7) boxes whose circumscribed circles meet, in row-major order, some at a time."""
    radius_a, radius_b = 0.5 * a[:, 3:5].square().sum(1).sqrt(), 0.5 * b[:, 3:5].square().sum(1).sqrt()
    for some in chunks(len(a), BYTES_A_PAIR * len(b)):
        x, y = (b[:, :2].T[:, None] - a[some, :2].T[:, :, None]).square_()
        i, j = (x + y < (radius_a[some, None] + radius_b).square_()).nonzero().T
        for pairs in chunks(len(i), BYTES_A_CLIPPED_PAIR):
            yield i[pairs] + some.start, j[pairs]


def _pairwise_torch(a: Tensor, b: Tensor, vertical: bool) -> Tensor:
    a, b = tensors.as_boxes7(a, "a"), tensors.as_boxes7(b, "b")
    iou = torch.zeros(len(a), len(b), device=a.device)
    for i, j in near_pairs_torch(a, b):
        iou[i, j] = paired_iou_torch(a[i], b[j], vertical).float()
    return iou


def iou_bev_torch(a: Tensor, b: Tensor) -> Tensor:
    """As :func:`kecor.ops.iou_bev`."""
    return _pairwise_torch(a, b, False)


def iou_3d_torch(a: Tensor, b: Tensor) -> Tensor:
    """As :func:`kecor.ops.iou_3d`."""
    return _pairwise_torch(a, b, True)


def iou_3d_paired_torch(a: Tensor, b: Tensor) -> Tensor:
    """As :func:`kecor.ops.iou_3d_paired`."""
    a, b = tensors.as_boxes7(a, "a"), tensors.as_boxes7(b, "b")
    if len(a) != len(b):
        raise ValueError(f"a and b: expected as many boxes, got {len(a)} and {len(b)}")
    iou = torch.zeros(len(a), device=a.device)
    for some in chunks(len(a), BYTES_A_CLIPPED_PAIR):
        iou[some] = paired_iou_torch(a[some], b[some], True).float()
    return iou


@also_for_tensors(iou_bev_torch)
def iou_bev(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of the footprints of every box of ``a`` (N, 7) with every box of ``b`` (M, 7): (N, M) float32 in [0, 1].

    A box without area overlaps nothing. Computed in float64.

    Raises:
        ValueError: an argument is not (M, 7).
    """
    return _pairwise(as_boxes7(a, "a"), as_boxes7(b, "b"), False)


@also_for_tensors(iou_3d_torch)
def iou_3d(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of the volumes of every box of ``a`` (N, 7) with every box of ``b`` (M, 7): (N, M) float32 in [0, 1].

    A box without volume overlaps nothing. Computed in float64.

    Raises:
        ValueError: an argument is not (M, 7).
    """
    return _pairwise(as_boxes7(a, "a"), as_boxes7(b, "b"), True)


@also_for_tensors(iou_3d_paired_torch)
def iou_3d_paired(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of the volumes of each box of ``a`` (N, 7) with the box of ``b`` (N, 7) in its place: (N,) float32 in [0, 1].

    The diagonal of :func:`iou_3d`.

    Raises:
        ValueError: an argument is not (M, 7), or they differ in length.
    """
    a, b = as_boxes7(a, "a"), as_boxes7(b, "b")
    if len(a) != len(b):
        raise ValueError(f"a and b: expected as many boxes, got {len(a)} and {len(b)}")
    return _paired(a, b, True)
