"""The losses of the second stage of PV-RCNN (Shi et al. 2020, section 3.4).

RoIs, ground truth and targets get no gradient. Half-precision input is converted to float32.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kecor.detectors.targets.anchor_losses import smooth_l1
from kecor.detectors.targets.roi_frame import canonical_residuals, corners, decode_residuals, full_precision
from kecor.detectors.targets.roi_sampling import RoiSampling, class_targets


def score_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy of (R,) logits with (R,) targets in [0, 1]; 0 if R is 0."""
    logits, targets = full_precision(logits), full_precision(targets.detach())
    if len(logits) == 0:
        return logits.sum() * 0
    return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))


def box_loss(residuals: Tensor, rois: Tensor, gt_boxes: Tensor, foreground: Tensor) -> Tensor:
    """Smooth L1 loss of the foreground's residuals, summed and divided by the number of foreground RoIs; 0 without any.

    Args:
        residuals: (R, 7) predicted residuals; see :func:`~kecor.detectors.targets.roi_frame.canonical_residuals`.
        rois: (R, 7).
        gt_boxes: (R, 7) matched ground-truth boxes; those of background RoIs are not read.
        foreground: (R,) bool.
    """
    residuals, rois, gt_boxes = _foreground(residuals, rois, gt_boxes, foreground)
    loss = smooth_l1(residuals - canonical_residuals(gt_boxes, rois))
    return loss.sum() / max(len(loss), 1)


def corner_loss(residuals: Tensor, rois: Tensor, gt_boxes: Tensor, foreground: Tensor) -> Tensor:
    """Huber loss of the corner distances, in metres, between decoded and ground-truth boxes of the foreground.

    Each corner is compared with the ground truth or with the ground truth rotated by half a turn, whichever is nearer
    (Qi et al. 2018, equation 3). The loss is the mean over corners and RoIs; 0 without foreground. Arguments as for
    :func:`box_loss`.
    """
    residuals, rois, gt_boxes = _foreground(residuals, rois, gt_boxes, foreground)
    predicted = corners(decode_residuals(residuals, rois))
    flipped = torch.cat([gt_boxes[:, :6], gt_boxes[:, 6:] + math.pi], dim=1)
    distances = [(predicted - corners(boxes)).norm(dim=2) for boxes in (gt_boxes, flipped)]
    loss = smooth_l1(torch.minimum(*distances), beta=1.0)
    return loss.mean(dim=1).sum() / max(len(loss), 1)


def roi_losses(
    scores: Tensor,
    residuals: Tensor,
    rois: Tensor,
    gt_boxes: Tensor,
    iou: Tensor,
    config: RoiSampling,
) -> dict[str, Tensor]:
    """``loss_rcnn_cls``, ``loss_rcnn_reg`` and ``loss_rcnn_corner`` of the sampled RoIs of a batch, all with weight 1.

    Args:
        scores: (R,) confidence logits.
        residuals: (R, 7) predicted residuals.
        rois: (R, 7).
        gt_boxes: (R, 7) from :func:`~kecor.detectors.targets.roi_sampling.sample`.
        iou: (R,) from the same function.
        config: thresholds of foreground and score targets.
    """
    foreground = iou > config.foreground_iou
    return {
        "loss_rcnn_cls": score_loss(scores, class_targets(iou, config)),
        "loss_rcnn_reg": box_loss(residuals, rois, gt_boxes, foreground),
        "loss_rcnn_corner": corner_loss(residuals, rois, gt_boxes, foreground),
    }


def _foreground(residuals: Tensor, rois: Tensor, gt_boxes: Tensor, foreground: Tensor) -> tuple[Tensor, ...]:
    """The foreground rows in full precision. Selected before encoding: residuals of the background's zero boxes would
    not be finite."""
    rows = (full_precision(tensor[foreground]) for tensor in (residuals, rois.detach(), gt_boxes.detach()))
    return tuple(rows)
