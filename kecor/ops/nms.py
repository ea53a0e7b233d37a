"""Greedy non-maximum suppression on rotated footprints."""

from __future__ import annotations

import numpy as np
from numba import njit

from kecor.ops.arrays import as_boxes7
from kecor.ops.dispatch import also_for_tensors
from kecor.ops.in_torch import nms as in_torch
from kecor.ops.polygon import box_overlap, circumradius


@njit(cache=True, nogil=True)
def _greedy(boxes, threshold, max_keep):
    """Positions kept of boxes sorted best first."""
    suppressed = np.zeros(len(boxes), np.bool_)
    kept = np.empty(min(len(boxes), max_keep), np.int64)
    radius = circumradius(boxes)
    n = 0
    for i in range(len(boxes)):
        if suppressed[i]:
            continue
        if n == len(kept):
            break
        kept[n] = i
        n += 1
        for j in range(i + 1, len(boxes)):
            if not suppressed[j]:
                suppressed[j] = box_overlap(boxes, i, boxes, j, radius[i] + radius[j], False) > threshold
    return kept[:n]


@also_for_tensors(in_torch.nms_bev)
def nms_bev(boxes: np.ndarray, scores: np.ndarray, threshold: float, max_keep: int | None = None) -> np.ndarray:
    """Keep the best boxes such that no two kept footprints have an IoU above ``threshold``.

    Args:
        boxes: (N, 7).
        scores: (N,); between equal scores the lower index comes first.
        threshold: IoU above which the worse of two boxes is dropped.
        max_keep: at most so many boxes are kept; all by default.

    Returns:
        (K,) int64 indices into ``boxes``, best first.

    Raises:
        ValueError: ``boxes`` is not (N, 7) or ``scores`` not (N,).
    """
    boxes = as_boxes7(boxes, "boxes")
    scores = np.asarray(scores)
    if scores.shape != (len(boxes),):
        raise ValueError(f"scores: expected shape ({len(boxes)},), got {scores.shape}")
    order = np.argsort(-scores, kind="stable")
    kept = _greedy(boxes[order], float(threshold), len(boxes) if max_keep is None else max_keep)
    return order[kept].astype(np.int64)
