"""The losses of an anchor head: unreduced terms, which :func:`anchor_losses` weights and sums."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kecor.detectors.targets.box_coder import direction_bin
from kecor.detectors.targets.target_assigner import IGNORED

WEIGHTS = {"loss_cls": 1.0, "loss_loc": 2.0, "loss_dir": 0.2}
"""Yan et al. 2018, equation 7; values as in OpenPCDet's second.yaml."""


def sigmoid_focal(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Elementwise binary focal loss (Lin et al. 2017, equation 5); ``targets`` are 0 or 1."""
    probability = logits.sigmoid()
    error = targets * (1 - probability) + (1 - targets) * probability
    balance = targets * alpha + (1 - targets) * (1 - alpha)
    return balance * error**gamma * F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


VELOCITY_WEIGHT = 0.2
"""Weight of the velocities in ``loss_loc`` (Zhu et al. 2019; ``code_weights`` in OpenPCDet's nuScenes configs)."""


def smooth_l1(difference: Tensor, beta: float = 1 / 9) -> Tensor:
    """Elementwise smooth L1 loss: quadratic below ``beta``, linear above (Girshick 2015)."""
    size = difference.abs()
    return torch.where(size < beta, 0.5 * size**2 / beta, size - 0.5 * beta)


def residual_difference(predicted: Tensor, target: Tensor) -> Tensor:
    """(P, 7 or 9) predicted minus target residuals.

    The heading difference is sin(predicted - target), which is the same for opposite directions (Yan et al. 2018,
    equation 4). Velocity differences are 0 where the target is NaN, i.e. unknown.
    """
    heading, target_heading = predicted[:, 6:7], target[:, 6:7]
    sine = heading.sin() * target_heading.cos() - heading.cos() * target_heading.sin()
    velocity = torch.where(target[:, 7:].isnan(), 0, predicted[:, 7:] - target[:, 7:])
    return torch.cat([predicted[:, :6] - target[:, :6], sine, velocity], dim=1)


def anchor_losses(
    cls_preds: Tensor,
    box_preds: Tensor,
    dir_preds: Tensor,
    anchors: Tensor,
    labels: Tensor,
    residuals: Tensor,
) -> dict[str, Tensor]:
    """``loss_cls``, ``loss_loc`` and ``loss_dir`` of a batch: the sum over each frame divided by its number of positive
    anchors, averaged over the frames.

    Args:
        cls_preds: (N, A, C) class logits.
        box_preds: (N, A, 7) residuals, or (N, A, 9) with velocities.
        dir_preds: (N, A, 2) logits of the direction bins.
        anchors: (A, 7).
        labels: (N, A) from :func:`~kecor.detectors.targets.target_assigner.assign`.
        residuals: (N, A, 7 or 9) from the same function.
    """
    n_frames, _, n_classes = cls_preds.shape
    positive = labels >= 0
    weight = 1.0 / (positive.sum(dim=1).clamp(min=1) * n_frames)  # (N,)
    targets = F.one_hot(labels.clamp(min=-1) + 1, n_classes + 1)[..., 1:].to(cls_preds.dtype)
    counted = (labels != IGNORED) * weight[:, None]
    losses = {"loss_cls": (sigmoid_focal(cls_preds, targets) * counted[..., None]).sum()}

    frame, anchor = positive.nonzero(as_tuple=True)
    target = residuals[frame, anchor]
    loss = smooth_l1(residual_difference(box_preds[frame, anchor], target))
    loss = torch.cat([loss[:, :7], VELOCITY_WEIGHT * loss[:, 7:]], dim=1)
    losses["loss_loc"] = (loss * weight[frame, None]).sum()

    bins = direction_bin(target[:, 6] + anchors[anchor, 6])
    direction = F.cross_entropy(dir_preds[frame, anchor], bins, reduction="none")
    losses["loss_dir"] = (direction * weight[frame]).sum()
    return {name: WEIGHTS[name] * loss for name, loss in losses.items()}
