"""Greedy non-maximum suppression (NMS) of rotated boxes in bird's-eye view."""

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
    """Positions of the boxes kept; ``boxes`` are sorted by descending score."""
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


BLOCK = 512
"""Boxes compared with the rest at a time; boxes they suppress are not compared again."""


@njit(cache=True, nogil=True)
def _greedy_torch(better, worse, n):
    """(n,) bool mask of suppressed boxes, from the pairs that overlap too much, sorted by ``better``."""
    suppressed = np.zeros(n, np.bool_)
    for k in range(len(better)):
        if not suppressed[better[k]]:
            suppressed[worse[k]] = True
    return suppressed


def _suppressed_by_block_torch(boxes: Tensor, threshold: float) -> Tensor:
    """(N,) bool mask of the boxes suppressed by one of the first :data:`BLOCK` boxes; ``boxes`` are sorted by score."""
    pairs = [torch.zeros(2, 0, dtype=torch.int64)]
    for i, j in near_pairs_torch(boxes[:BLOCK], boxes):
        i, j = i[i < j], j[i < j]
        too_much = paired_iou_torch(boxes[i], boxes[j], False) > threshold
        pairs.append(torch.stack([i[too_much], j[too_much]]).cpu())
    better, worse = torch.cat(pairs, 1).numpy()
    return torch.from_numpy(_greedy_torch(better, worse, len(boxes))).to(boxes.device)


def nms_bev_torch(boxes: Tensor, scores: Tensor, threshold: float, max_keep: int | None = None) -> Tensor:
    """:func:`kecor.ops.nms_bev` in torch."""
    boxes = tensors.as_boxes7(boxes, "boxes")
    if scores.shape != (len(boxes),):
        raise ValueError(f"scores: expected shape ({len(boxes)},), got {tuple(scores.shape)}")
    remaining = torch.sort(-scores, stable=True).indices
    max_keep = len(remaining) if max_keep is None else max_keep
    kept, n = [remaining[:0]], 0
    while len(remaining) and n < max_keep:
        stays = ~_suppressed_by_block_torch(boxes[remaining], threshold)
        kept.append(remaining[:BLOCK][stays[:BLOCK]])
        n += len(kept[-1])
        remaining = remaining[BLOCK:][stays[BLOCK:]]
    return torch.cat(kept)[:max_keep]


@also_for_tensors(nms_bev_torch)
def nms_bev(boxes: np.ndarray, scores: np.ndarray, threshold: float, max_keep: int | None = None) -> np.ndarray:
    """Keep the highest-scoring boxes such that no two of them have a bird's-eye-view IoU above ``threshold``.

    Args:
        boxes: (N, 7).
        scores: (N,); ties go to the lower index.
        threshold: IoU above which the lower-scoring of two boxes is dropped.
        max_keep: largest number of boxes kept; no limit by default.

    Returns:
        (K,) int64 indices into ``boxes``, by descending score.

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
