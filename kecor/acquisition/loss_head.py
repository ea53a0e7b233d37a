"""A small network that learns to rank frames by their loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

HIDDEN = 128
BATCH = 128
"""Number of frames per step; all pairs of them are compared."""
MOMENTUM = 0.9
MARGIN = 1.0
"""The margin xi of the paper: how much the predictions for two frames should differ at least."""
FOLDS = 5


@dataclass(frozen=True)
class Schedule:
    """Settings of stochastic gradient descent.

    Attributes:
        steps: number of steps.
        learning_rate: initial learning rate; it decays linearly to 0.
        weight_decay: L2 penalty.
    """

    steps: int
    learning_rate: float
    weight_decay: float


def ranking_loss(predicted: Tensor, losses: Tensor) -> Tensor:
    """Mean over pairs of ``max(0, -sign(l_i - l_j) (p_i - p_j) + xi)`` (Yoo and Kweon 2019, equation 2).

    Pairs with equal losses are left out; the result is 0 if no other pairs exist.

    Args:
        predicted: (B,) predictions p.
        losses: (B,) true losses l.
    """
    sign = (losses[:, None] - losses).sign().to(predicted)  # contains each pair twice
    hinge = (MARGIN - sign * (predicted[:, None] - predicted)).clamp(min=0)
    return (hinge * sign.abs()).sum() / sign.abs().sum().clamp(min=1)


def fit_loss_head(inputs: Tensor, losses: Tensor, generator: torch.Generator, schedule: Schedule) -> nn.Module:
    """Fit a head (n, D) -> (n,) that ranks ``losses`` (L,) from standardised ``inputs`` (L, D).

    ``generator`` draws the initial weights and the batches. The last layer is initialised to 0, so that predictions
    contain nothing but what was learned.
    """
    hidden, last = nn.utils.skip_init(nn.Linear, inputs.shape[1], HIDDEN), nn.utils.skip_init(nn.Linear, HIDDEN, 1)
    nn.init.kaiming_normal_(hidden.weight, nonlinearity="relu", generator=generator)
    for parameter in (hidden.bias, last.weight, last.bias):
        nn.init.zeros_(parameter)
    head = nn.Sequential(hidden, nn.ReLU(), last, nn.Flatten(0))
    optimiser = torch.optim.SGD(
        head.parameters(), lr=schedule.learning_rate, momentum=MOMENTUM, weight_decay=schedule.weight_decay
    )
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, schedule.steps)
    for _ in range(schedule.steps):
        x, target = inputs, losses
        if len(losses) > BATCH:
            rows = torch.randperm(len(losses), generator=generator)[:BATCH]
            x, target = inputs[rows], losses[rows]
        loss = ranking_loss(head(x), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    return head.eval().requires_grad_(False)


def ranking_accuracy(inputs: Tensor, losses: Tensor, generator: torch.Generator, schedule: Schedule) -> float | None:
    """Share of held-out pairs that are ranked correctly, by five-fold cross-validation.

    With fewer than ten frames there are fewer folds. None with fewer than four frames, or if all losses within each
    fold are equal.
    """
    if len(losses) < 4:
        return None
    folds = torch.randperm(len(losses), generator=generator).tensor_split(min(FOLDS, len(losses) // 2))
    correct, pairs = 0.0, 0
    for k, held_out in enumerate(folds):
        rest = torch.cat(folds[:k] + folds[k + 1 :])
        head = fit_loss_head(inputs[rest], losses[rest], generator, schedule)
        found, count = correct_pairs(head(inputs[held_out]).numpy(), losses[held_out].numpy())
        correct, pairs = correct + found, pairs + count
    return correct / pairs if pairs else None


def correct_pairs(predicted: np.ndarray, losses: np.ndarray) -> tuple[float, int]:
    """How many pairs with different ``losses`` (n,) are ordered correctly by ``predicted`` (n,), and how many exist.

    Equal predictions count half.
    """
    correct, pairs = 0.0, 0
    for i in range(1, len(losses)):
        sign = np.sign(losses[:i] - losses[i])
        agreement = sign * np.sign(predicted[:i] - predicted[i])
        correct += float(((agreement + 1) / 2)[sign != 0].sum())
        pairs += int((sign != 0).sum())
    return correct, pairs
