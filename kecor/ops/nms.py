"""Greedy non-maximum suppression on rotated footprints."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from kecor.ops import tensors
from kecor.ops.arrays import as_boxes7
from kecor.ops.dispatch import also_for_tensors
from kecor.ops.polygon import box_overlap, circumradius
from kecor.ops.rotated_iou import near_pairs_torch, paired_iou_torch


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


HEAD = 512
"""Boxes decided on at a time: what they suppress is compared no further."""


@njit(cache=True, nogil=True)
def _greedy_torch(better, worse, n):
    """(n,) bool: which boxes are suppressed, of pairs that overlap too much in ascending order of ``better``."""
    suppressed = np.zeros(n, np.bool_)
    for k in range(len(better)):
        if not suppressed[better[k]]:
            suppressed[worse[k]] = True
    return suppressed


def _suppressed_by_head_torch(boxes: Tensor, threshold: float) -> Tensor:
    """(N,) bool: which of boxes sorted best first fall to one of the first :data:`HEAD`; those decided for good."""
    found = [torch.zeros(2, 0, dtype=torch.int64)]
    for i, j in near_pairs_torch(boxes[:HEAD], boxes):
        i, j = i[i < j], j[i < j]
        too_much = paired_iou_torch(boxes[i], boxes[j], False) > threshold
        found.append(torch.stack([i[too_much], j[too_much]]).cpu())
    better, worse = torch.cat(found, 1).numpy()
    return torch.from_numpy(_greedy_torch(better, worse, len(boxes))).to(boxes.device)


def nms_bev_torch(boxes: Tensor, scores: Tensor, threshold: float, max_keep: int | None = None) -> Tensor:
    """As :func:`kecor.ops.nms_bev`."""
    boxes = tensors.as_boxes7(boxes, "boxes")
    if scores.shape != (len(boxes),):
        raise ValueError(f"scores: expected shape ({len(boxes)},), got {tuple(scores.shape)}")
    left = torch.sort(-scores, stable=True).indices
    max_keep = len(left) if max_keep is None else max_keep
    kept, n = [left[:0]], 0
    while len(left) and n < max_keep:
        stays = ~_suppressed_by_head_torch(boxes[left], threshold)
        kept.append(left[:HEAD][stays[:HEAD]])
        n += len(kept[-1])
        left = left[HEAD:][stays[HEAD:]]
    return torch.cat(kept)[:max_keep]


@also_for_tensors(nms_bev_torch)
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
