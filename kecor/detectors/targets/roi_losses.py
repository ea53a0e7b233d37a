"""The losses of a second stage, as published for PV-RCNN (Shi et al. 2020, section 3.4). Regions, ground truth and
targets carry no gradient; half-precision input is computed with in float32."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kecor.detectors.targets.anchor_losses import smooth_l1
from kecor.detectors.targets.roi_frame import canonical_residuals, corners, decode_residuals, full_precision
from kecor.detectors.targets.roi_sampling import RoiSampling, class_targets


def score_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy of (R,) logits with (R,) targets in [0, 1]; 0 without regions."""
    logits, targets = full_precision(logits), full_precision(targets.detach())
    if len(logits) == 0:
        return logits.sum() * 0
    return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))


def box_loss(residuals: Tensor, rois: Tensor, gt_boxes: Tensor, foreground: Tensor) -> Tensor:
    """Smooth L1 of the foreground's residuals, summed, by the number of foreground regions; 0 without any.

    Args:
        residuals: (R, 7) predicted, of :func:`~kecor.detectors.targets.roi_frame.canonical_residuals`.
        rois: (R, 7).
        gt_boxes: (R, 7), one a region; those of the background are not read.
        foreground: (R,) bool.
    """
    residuals, rois, gt_boxes = _foreground(residuals, rois, gt_boxes, foreground)
    loss = smooth_l1(residuals - canonical_residuals(gt_boxes, rois))
    return loss.sum() / max(len(loss), 1)


def corner_loss(residuals: Tensor, rois: Tensor, gt_boxes: Tensor, foreground: Tensor) -> Tensor:
    """Huber loss of the distance, in metres, of each corner of the foreground's decoded boxes from that of the ground
    truth, or of the ground truth turned by half a turn where that is nearer (Qi et al. 2018, equation 3; the choice is
    each corner's own). Mean over corners and regions, 0 without any foreground. Arguments as of :func:`box_loss`."""
    residuals, rois, gt_boxes = _foreground(residuals, rois, gt_boxes, foreground)
    predicted = corners(decode_residuals(residuals, rois))
    turned = torch.cat([gt_boxes[:, :6], gt_boxes[:, 6:] + math.pi], dim=1)
    distances = [(predicted - corners(boxes)).norm(dim=2) for boxes in (gt_boxes, turned)]
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
    """``loss_rcnn_cls``, ``loss_rcnn_reg`` and ``loss_rcnn_corner``, of equal weight, of a batch's sampled regions.

    Args:
        scores: (R,) logits.
        residuals: (R, 7) predicted.
        rois: (R, 7).
        gt_boxes: (R, 7) of :func:`~kecor.detectors.targets.roi_sampling.sample`.
        iou: (R,) of the same.
    """
    foreground = iou > config.foreground_iou
    return {
        "loss_rcnn_cls": score_loss(scores, class_targets(iou, config)),
        "loss_rcnn_reg": box_loss(residuals, rois, gt_boxes, foreground),
        "loss_rcnn_corner": corner_loss(residuals, rois, gt_boxes, foreground),
    }


def _foreground(residuals: Tensor, rois: Tensor, gt_boxes: Tensor, foreground: Tensor) -> tuple[Tensor, ...]:
    """The foreground's rows, in full precision: picked first, for the residuals of a box of zeros are not finite."""
    rows = (full_precision(tensor[foreground]) for tensor in (residuals, rois.detach(), gt_boxes.detach()))
    return tuple(rows)
