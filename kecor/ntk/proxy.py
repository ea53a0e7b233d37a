"""The proxy head: a small network fitted to predict the detector head's targets from RoI features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

HIDDEN = (512, 100)
"""Widths of the hidden layers in the authors' code."""


class ProxyHead(nn.Module):
    """Linear-SiLU-Linear-SiLU-Linear from (n, in_features) to (n, out_features).

    The initial weights (Kaiming normal, zero biases) are drawn from ``generator``.
    """

    def __init__(
        self, in_features: int, out_features: int, generator: torch.Generator, hidden: Sequence[int] = HIDDEN
    ) -> None:
        super().__init__()
        widths = [in_features, *hidden, out_features]
        self.layers = nn.ModuleList(nn.utils.skip_init(nn.Linear, a, b) for a, b in pairwise(widths))
        for layer in self.linears:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)

    @property
    def linears(self) -> list[nn.Linear]:
        """The linear layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.linears
        for layer in hidden:
            x = nn.functional.silu(layer(x))
        return last(x)


@dataclass
class ProxyFit:
    """A fitted proxy head and its losses.

    Attributes:
        head: in eval mode, gradients off.
        losses: mean squared error of each step's batch.
        loss_first: mean squared error over all labelled RoIs before the first step.
        loss_last: the same after the last step.
        loss_mean: the same for a constant prediction of the mean target.
    """

    head: ProxyHead
    losses: list[float]
    loss_first: float
    loss_last: float
    loss_mean: float

    @property
    def converged(self) -> bool:
        """Whether the losses are finite and the final one is below both the initial one and that of a constant."""
        beats_mean = self.loss_last < self.loss_mean or self.loss_mean == 0
        return bool(
            np.isfinite([*self.losses, self.loss_last]).all() and self.loss_last < self.loss_first and beats_mean
        )


def fit_proxy(
    inputs: Tensor,
    targets: Tensor,
    mask: Tensor,
    generator: torch.Generator,
    *,
    steps: int = 200,
    learning_rate: float = 1e-3,
    batch_size: int = 512,
    standardise: bool = True,
    hidden: Sequence[int] = HIDDEN,
) -> ProxyFit:
    """Fit a :class:`ProxyHead` by regression with Adam; the loss is the mean squared error over ``mask``.

    The gradients of the first layer lie in the span of the inputs. If ``standardise`` is set and the inputs have more
    columns than rows (flattened frames), the first layer is therefore fitted in coordinates of that span and mapped
    back afterwards: n columns instead of tens of thousands.

    Args:
        inputs: (n, in), already standardised.
        targets: (n, out); ``standardise`` standardises each column over its masked values.
        mask: (n, out) bool, the targets that count.
        generator: a CPU generator; draws the initial weights and the batches.
        steps, learning_rate, batch_size: of Adam. Batches are drawn with replacement; with at most ``batch_size`` rows
            every batch is the whole set.
        standardise: standardise the targets and fit wide inputs in their span.
        hidden: widths of the hidden layers.
    """
    count = mask.sum(0).clamp(min=1)
    mean = (targets * mask).sum(0) / count
    spread = (((targets - mean) * mask).square().sum(0) / count).sqrt()
    if standardise:
        targets, mean = (targets - mean) / torch.where(spread > 0, spread, 1.0), torch.zeros_like(mean)
    head = ProxyHead(inputs.shape[1], targets.shape[1], generator, hidden).to(inputs)
    first, span = head.linears[0], None
    if standardise and inputs.shape[1] > len(inputs):
        span = _Span(inputs, first)
        inputs = span.coordinates
    loss_mean = _error(mean.expand_as(targets), targets, mask).item()
    loss_first = _whole_loss(head, inputs, targets, mask)
    losses = _adam(head, inputs, targets, mask, generator, steps, learning_rate, batch_size)
    head.eval().requires_grad_(False)
    loss_last = _whole_loss(head, inputs, targets, mask)
    if span is not None:
        span.restore(first)
    return ProxyFit(head, losses, loss_first, loss_last, loss_mean)


class _Span:
    """The first layer restricted to the span of wide inputs: with ``X^T = Q C``, ``W x`` becomes ``(W Q) c``.

    Attributes:
        coordinates: (n, n) the inputs in the basis Q.
    """

    def __init__(self, inputs: Tensor, first: nn.Linear) -> None:
        self.full = first.weight.detach()
        self.basis, coordinates = torch.linalg.qr(inputs.T)
        self.coordinates, self.start = coordinates.T, self.full @ self.basis
        first.weight = nn.Parameter(self.start.clone())

    def restore(self, first: nn.Linear) -> None:
        """Map the fitted weights back: ``W + (W' - W Q) Q^T``, which leaves W unchanged outside the span."""
        change = first.weight - self.start
        first.weight = nn.Parameter(self.full + change @ self.basis.T, requires_grad=False)


def _adam(
    head: ProxyHead,
    inputs: Tensor,
    targets: Tensor,
    mask: Tensor,
    generator: torch.Generator,
    steps: int,
    learning_rate: float,
    batch_size: int,
) -> list[float]:
    """Run the optimiser; the loss of each step's batch."""
    optimiser = torch.optim.Adam(head.parameters(), lr=learning_rate, fused=True)
    losses = []
    for _ in range(steps):
        x, t, m = inputs, targets, mask
        if len(inputs) > batch_size:
            rows = torch.randint(len(inputs), (batch_size,), generator=generator).to(inputs.device)
            x, t, m = inputs[rows], targets[rows], mask[rows]
        loss = _error(head(x), t, m)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def _error(predicted: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return ((predicted - targets) * mask).square().sum() / mask.sum().clamp(min=1)


@torch.no_grad()
def _whole_loss(head: ProxyHead, inputs: Tensor, targets: Tensor, mask: Tensor, rows: int = 8192) -> float:
    """Mean squared error over all rows, evaluated in parts."""
    parts = zip(inputs.split(rows), targets.split(rows), mask.split(rows))
    return sum(_error(head(x), t, m).item() * m.sum().item() for x, t, m in parts) / max(1, int(mask.sum()))
