"""A small network that learns to tell which of two frames has the greater loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

HIDDEN = 128
BATCH = 128
"""Frames of one step; all pairs of them are compared."""
MOMENTUM = 0.9
MARGIN = 1.0
"""By how much the prediction for the frame of greater loss should exceed the other's (xi of the paper)."""
FOLDS = 5


@dataclass(frozen=True)
class Schedule:
    """Of a fit by stochastic gradient descent: its steps, the learning rate of the first one, which falls linearly to
    0, and weight decay."""

    steps: int
    learning_rate: float
    weight_decay: float


def ranking_loss(predicted: Tensor, losses: Tensor) -> Tensor:
    """Mean over the pairs of ``max(0, -sign(l_i - l_j) (p_i - p_j) + 1)`` (Yoo and Kweon 2019, equation 2).

    Pairs of equal losses say nothing and are left out; 0 where there is no other.

    Args:
        predicted, losses: (B,).
    """
    sign = (losses[:, None] - losses).sign().to(predicted)  # each pair stands in it twice
    hinge = (MARGIN - sign * (predicted[:, None] - predicted)).clamp(min=0)
    return (hinge * sign.abs()).sum() / sign.abs().sum().clamp(min=1)


def fit_loss_head(inputs: Tensor, losses: Tensor, generator: torch.Generator, schedule: Schedule) -> nn.Module:
    """A head from (n, D) to (n,), fitted to rank ``losses`` (L,) from standardised ``inputs`` (L, D).

    ``generator`` draws the initial weights and the batches. The last layer's weights are zero at first, so that a
    prediction holds nothing but what was learned.
    """
    hidden, last = nn.utils.skip_init(nn.Linear, inputs.shape[1], HIDDEN), nn.utils.skip_init(nn.Linear, HIDDEN, 1)
    nn.init.kaiming_normal_(hidden.weight, nonlinearity="relu", generator=generator)
    for parameter in (hidden.bias, last.weight, last.bias):
        nn.init.zeros_(parameter)
    head = nn.Sequential(hidden, nn.ReLU(), last, nn.Flatten(0))
    optimiser = torch.optim.SGD(
        head.parameters(), lr=schedule.learning_rate, momentum=MOMENTUM, weight_decay=schedule.weight_decay
    )
    rates = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, schedule.steps)
    for _ in range(schedule.steps):
        x, target = inputs, losses
        if len(losses) > BATCH:
            rows = torch.randperm(len(losses), generator=generator)[:BATCH]
            x, target = inputs[rows], losses[rows]
        loss = ranking_loss(head(x), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
    return head.eval().requires_grad_(False)


def held_out_share(inputs: Tensor, losses: Tensor, generator: torch.Generator, schedule: Schedule) -> float | None:
    """Share of pairs ranked rightly by heads that saw neither frame: five-fold cross-validation, with fewer folds of
    fewer than ten frames; None of fewer than four, or where no losses differ within a fold."""
    if len(losses) < 4:
        return None
    folds = torch.randperm(len(losses), generator=generator).tensor_split(min(FOLDS, len(losses) // 2))
    right, pairs = 0.0, 0
    for k, held_out in enumerate(folds):
        rest = torch.cat(folds[:k] + folds[k + 1 :])
        head = fit_loss_head(inputs[rest], losses[rest], generator, schedule)
        found, number = ranked_rightly(head(inputs[held_out]).numpy(), losses[held_out].numpy())
        right, pairs = right + found, pairs + number
    return right / pairs if pairs else None


def ranked_rightly(predicted: np.ndarray, losses: np.ndarray) -> tuple[float, int]:
    """How many of the pairs of different ``losses`` (n,) are ``predicted`` (n,) in that order, equal predictions
    counting half, and how many such pairs there are."""
    right, pairs = 0.0, 0
    for i in range(1, len(losses)):
        sign = np.sign(losses[:i] - losses[i])
        agreement = sign * np.sign(predicted[:i] - predicted[i])
        right += float(((agreement + 1) / 2)[sign != 0].sum())
        pairs += int((sign != 0).sum())
    return right, pairs
