"""Intersection over union of rotated boxes."""

from __future__ import annotations

import numpy as np
from numba import njit

from kecor.ops.arrays import as_boxes7
from kecor.ops.dispatch import also_for_tensors
from kecor.ops.in_torch import rotated_iou as in_torch
from kecor.ops.polygon import box_overlap, circumradius


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


@also_for_tensors(in_torch.iou_bev)
def iou_bev(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of the footprints of every box of ``a`` (N, 7) with every box of ``b`` (M, 7): (N, M) float32 in [0, 1].

    A box without area overlaps nothing. Computed in float64.

    Raises:
        ValueError: an argument is not (M, 7).
    """
    return _pairwise(as_boxes7(a, "a"), as_boxes7(b, "b"), False)


@also_for_tensors(in_torch.iou_3d)
def iou_3d(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of the volumes of every box of ``a`` (N, 7) with every box of ``b`` (M, 7): (N, M) float32 in [0, 1].

    A box without volume overlaps nothing. Computed in float64.

    Raises:
        ValueError: an argument is not (M, 7).
    """
    return _pairwise(as_boxes7(a, "a"), as_boxes7(b, "b"), True)


@also_for_tensors(in_torch.iou_3d_paired)
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
