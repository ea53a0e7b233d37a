"""Which anchors answer for which ground-truth box."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kecor.detectors.targets.box_coder import encode

BACKGROUND = -1
IGNORED = -2


def assign(anchors: Tensor, gt_boxes: Tensor, label: int, matched: float, unmatched: float) -> tuple[Tensor, Tensor]:
    """Targets of the anchors of one class in one frame.

    An anchor is positive when its overlap with some box is at least ``matched``, or when no anchor overlaps some box
    more than it does, so that every box the anchors touch has one; it answers for the box it overlaps most.

    Args:
        anchors: (A, 7).
        gt_boxes: (G, 7), those of the class; further columns become targets as they are.
        label: 0-based class.

    Returns:
        (A,) int64 labels: ``label``, ``BACKGROUND`` or ``IGNORED``; (A, 7) residuals, as many columns as
        ``gt_boxes`` has, zero where not positive.
    """
    labels = torch.full((len(anchors),), BACKGROUND, dtype=torch.long, device=anchors.device)
    residuals = anchors.new_zeros(len(anchors), gt_boxes.shape[1])
    if len(gt_boxes) == 0 or len(anchors) == 0:
        return labels, residuals
    overlap = aligned_overlap(anchors, gt_boxes)
    anchor_best, anchor_gt = overlap.max(dim=1)
    gt_best = overlap.max(dim=0).values
    gt_best = torch.where(gt_best > 0, gt_best, torch.full_like(gt_best, math.inf))
    labels[anchor_best >= unmatched] = IGNORED
    positive = (anchor_best >= matched) | (overlap == gt_best).any(dim=1)
    labels[positive] = label
    residuals[positive] = encode(gt_boxes[anchor_gt[positive]], anchors[positive])
    return labels, residuals


def aligned_overlap(a: Tensor, b: Tensor) -> Tensor:
    """(A, B) bird's-eye-view IoU of boxes turned to the nearest axis (Yan et al. 2018, section 3.3)."""
    a_low, a_high, a_area = _aligned(a)
    b_low, b_high, b_area = _aligned(b)
    overlap = a.new_ones(len(a), len(b))
    for axis in (0, 1):  # in place, axis by axis: the matrix is large
        length = torch.minimum(a_high[:, None, axis], b_high[None, :, axis])
        length -= torch.maximum(a_low[:, None, axis], b_low[None, :, axis])
        overlap *= length.clamp_(min=0)
    union = (a_area[:, None] + b_area[None, :]).sub_(overlap).clamp_(min=1e-6)
    return overlap.div_(union)


def _aligned(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lower corners (N, 2), upper corners (N, 2) and areas (N,)."""
    turn = boxes[:, 6] - torch.floor(boxes[:, 6] / math.pi + 0.5) * math.pi
    along = turn.abs()[:, None] < math.pi / 4
    size = torch.where(along, boxes[:, [3, 4]], boxes[:, [4, 3]])
    low, high = boxes[:, :2] - size / 2, boxes[:, :2] + size / 2
    return low, high, (high - low).prod(dim=1)
