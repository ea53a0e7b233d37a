"""The losses of an anchor head. Each returns unreduced values; :func:`anchor_losses` weighs and sums them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kecor.detectors.targets.box_coder import direction_bin
from kecor.detectors.targets.target_assigner import IGNORED

WEIGHTS = {"loss_cls": 1.0, "loss_loc": 2.0, "loss_dir": 0.2}
"""Yan et al. 2018, equation 7; values as in OpenPCDet's second.yaml."""


def sigmoid_focal(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Focal loss of independent binary decisions (Lin et al. 2017, equation 5); ``targets`` in {0, 1}."""
    probability = logits.sigmoid()
    wrong = targets * (1 - probability) + (1 - targets) * probability
    balance = targets * alpha + (1 - targets) * (1 - alpha)
    return balance * wrong**gamma * F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


VELOCITY_WEIGHT = 0.2
"""Weight of velocities within ``loss_loc`` (Zhu et al. 2019; ``code_weights`` of OpenPCDet's nuScenes configs)."""


def smooth_l1(difference: Tensor, beta: float = 1 / 9) -> Tensor:
    """Quadratic below ``beta``, linear above (Girshick 2015)."""
    size = difference.abs()
    return torch.where(size < beta, 0.5 * size**2 / beta, size - 0.5 * beta)


def residual_difference(predicted: Tensor, target: Tensor) -> Tensor:
    """(P, 7) predicted minus target residuals, the last replaced by the two terms of sin(predicted - target), which
    is blind to half a turn (Yan et al. 2018, equation 4). Differences of further columns, the velocities, follow; they
    are 0 where the target is NaN, as it is where a velocity is not known."""
    turn, wanted = predicted[:, 6:7], target[:, 6:7]
    sine = turn.sin() * wanted.cos() - turn.cos() * wanted.sin()
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
    """``loss_cls``, ``loss_loc`` and ``loss_dir`` of a batch: each frame's sum divided by its number of positives, then
    averaged over frames.

    Args:
        cls_preds: (N, A, C) class logits.
        box_preds: (N, A, 7) residuals, or (N, A, 9) with velocities.
        dir_preds: (N, A, 2) logits of the direction bins.
        anchors: (A, 7).
        labels: (N, A) of :func:`~kecor.detectors.targets.target_assigner.assign`.
        residuals: of the same, as many columns as ``box_preds``.
    """
    n_frames, _, n_classes = cls_preds.shape
    positive = labels >= 0
    weight = 1.0 / (positive.sum(dim=1).clamp(min=1) * n_frames)  # (N,)
    targets = F.one_hot(labels.clamp(min=-1) + 1, n_classes + 1)[..., 1:].to(cls_preds.dtype)
    cared = (labels != IGNORED) * weight[:, None]
    losses = {"loss_cls": (sigmoid_focal(cls_preds, targets) * cared[..., None]).sum()}

    frame, anchor = positive.nonzero(as_tuple=True)
    target = residuals[frame, anchor]
    loss = smooth_l1(residual_difference(box_preds[frame, anchor], target))
    loss = torch.cat([loss[:, :7], VELOCITY_WEIGHT * loss[:, 7:]], dim=1)
    losses["loss_loc"] = (loss * weight[frame, None]).sum()

    bins = direction_bin(target[:, 6] + anchors[anchor, 6])
    direction = F.cross_entropy(dir_preds[frame, anchor], bins, reduction="none")
    losses["loss_dir"] = (direction * weight[frame]).sum()
    return {name: WEIGHTS[name] * loss for name, loss in losses.items()}
