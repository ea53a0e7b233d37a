"""Greedy non-maximum suppression in torch: overlaps on the device, the choice on the CPU."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from kecor.ops.in_torch.rotated_iou import near_pairs, paired_iou
from kecor.ops.tensors import as_boxes7

HEAD = 512
"""Boxes decided on at a time: what they suppress is compared no further."""


@njit(cache=True, nogil=True)
def _greedy(better, worse, n):
    """(n,) bool: which boxes are suppressed, of pairs that overlap too much in ascending order of ``better``."""
    suppressed = np.zeros(n, np.bool_)
    for k in range(len(better)):
        if not suppressed[better[k]]:
            suppressed[worse[k]] = True
    return suppressed


def _suppressed_by_head(boxes: Tensor, threshold: float) -> Tensor:
    """(N,) bool: which of boxes sorted best first fall to one of the first :data:`HEAD`; those decided for good."""
    found = [torch.zeros(2, 0, dtype=torch.int64)]
    for i, j in near_pairs(boxes[:HEAD], boxes):
        i, j = i[i < j], j[i < j]
        too_much = paired_iou(boxes[i], boxes[j], False) > threshold
        found.append(torch.stack([i[too_much], j[too_much]]).cpu())
    better, worse = torch.cat(found, 1).numpy()
    return torch.from_numpy(_greedy(better, worse, len(boxes))).to(boxes.device)


def nms_bev(boxes: Tensor, scores: Tensor, threshold: float, max_keep: int | None = None) -> Tensor:
    """As :func:`kecor.ops.nms_bev`."""
    boxes = as_boxes7(boxes, "boxes")
    if scores.shape != (len(boxes),):
        raise ValueError(f"scores: expected shape ({len(boxes)},), got {tuple(scores.shape)}")
    left = torch.sort(-scores, stable=True).indices
    max_keep = len(left) if max_keep is None else max_keep
    kept, n = [left[:0]], 0
    while len(left) and n < max_keep:
        stays = ~_suppressed_by_head(boxes[left], threshold)
        kept.append(left[:HEAD][stays[:HEAD]])
        n += len(kept[-1])
        left = left[HEAD:][stays[HEAD:]]
    return torch.cat(kept)[:max_keep]
