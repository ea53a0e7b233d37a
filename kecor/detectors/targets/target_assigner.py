"""Assignment of ground-truth boxes to anchors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kecor.detectors.targets.box_coder import encode

BACKGROUND = -1
IGNORED = -2


def assign(anchors: Tensor, gt_boxes: Tensor, label: int, matched: float, unmatched: float) -> tuple[Tensor, Tensor]:
    """Targets of the anchors of one class in one frame.

    An anchor is positive if its overlap with a box is at least ``matched``, or if it is the anchor with the largest
    overlap with a box, so that every box that anchors touch has a positive one. Its target is the box it overlaps most.

    Args:
        anchors: (A, 7).
        gt_boxes: (G, 7) boxes of the class; further columns are copied to the residuals.
        label: 0-based class.
        matched: overlap from which an anchor is positive.
        unmatched: overlap below which an anchor is background.

    Returns:
        (A,) int64 labels, ``label``, ``BACKGROUND`` or ``IGNORED``, and (A, 7 or more) residuals, zero unless positive.
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
    """(A, B) bird's-eye-view IoU of boxes with headings rounded to the nearest axis (Yan et al. 2018, section 3.3)."""
    a_low, a_high, a_area = _aligned(a)
    b_low, b_high, b_area = _aligned(b)
    overlap = a.new_ones(len(a), len(b))
    for axis in (0, 1):  # in place, axis by axis, because the matrix is large
        length = torch.minimum(a_high[:, None, axis], b_high[None, :, axis])
        length -= torch.maximum(a_low[:, None, axis], b_low[None, :, axis])
        overlap *= length.clamp_(min=0)
    union = (a_area[:, None] + b_area[None, :]).sub_(overlap).clamp_(min=1e-6)
    return overlap.div_(union)


def _aligned(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lower corners (N, 2), upper corners (N, 2) and areas (N,)."""
    heading = boxes[:, 6] - torch.floor(boxes[:, 6] / math.pi + 0.5) * math.pi
    along_x = heading.abs()[:, None] < math.pi / 4
    size = torch.where(along_x, boxes[:, [3, 4]], boxes[:, [4, 3]])
    low, high = boxes[:, :2] - size / 2, boxes[:, :2] + size / 2
    return low, high, (high - low).prod(dim=1)
