"""The proxy head: a small network fitted to say of an RoI feature what the detector's head should say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from kecor.errors import SelectionError
from kecor.ntk.roi_frames import RoiFrames

HIDDEN = (512, 100)


class ProxyHead(nn.Module):
    """Linear-SiLU-Linear-SiLU-Linear: (n, in_features) -> (n, out_features). Initialised from ``generator`` alone."""

    def __init__(
        self, in_features: int, out_features: int, generator: torch.Generator, hidden: Sequence[int] = HIDDEN
    ) -> None:
        super().__init__()
        widths = [in_features, *hidden, out_features]
        self.layers = nn.ModuleList(nn.utils.skip_init(nn.Linear, a, b) for a, b in pairwise(widths))
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            x = nn.functional.silu(layer(x))
        return last(x)


@dataclass
class ProxyFit:
    """A fitted head and how the fit went.

    Attributes:
        head: in eval mode, gradients off.
        losses: mean squared error of each step's batch.
        loss_first: over all labelled RoIs before the first step; ``loss_last`` after the last one.
        loss_mean: of always predicting the mean target.
    """

    head: ProxyHead
    losses: list[float]
    loss_first: float
    loss_last: float
    loss_mean: float

    @property
    def converged(self) -> bool:
        """Whether the fit is finite and better than both its start and the mean predictor."""
        beats_mean = self.loss_last < self.loss_mean or self.loss_mean == 0
        return bool(
            np.isfinite([*self.losses, self.loss_last]).all() and self.loss_last < self.loss_first and beats_mean
        )


def per_roi_targets(frames: RoiFrames, targets: np.ndarray) -> np.ndarray:
    """``targets`` as (L, R, T) float64, in the order the frames' set had; (L, T) where a frame has one feature.

    Raises:
        SelectionError: a shape does not fit or a target of a valid RoI is not finite.
    """
    targets = np.asarray(targets, np.float64)
    if targets.ndim == 2:
        targets = targets[:, None]
    if targets.ndim != 3 or targets.shape[:2] != frames.mask.shape:
        raise SelectionError(
            f"targets: shape {targets.shape} does not fit {frames.mask.shape} labelled frames and RoIs"
        )
    if not np.isfinite(targets[frames.mask]).all():
        raise SelectionError("targets: a value of a labelled RoI is not finite")
    return targets


def training_pairs(frames: RoiFrames, targets: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """What the head is fitted on: inputs (n, in), targets (n, out) and a mask (n, out) of the targets that count.

    One row a valid RoI, or one a frame when the frames are flattened (then ``out`` is R x T).

    Args:
        frames: the labelled frames.
        targets: (L, R, T) in the order the frames' set had; (L, T) where a frame has one feature.

    Raises:
        SelectionError: a shape does not fit or a target of a valid RoI is not finite.
    """
    targets, valid = per_roi_targets(frames, targets)[frames.order], frames.mask[frames.order]
    x, _ = frames.read(slice(None))
    t, mask = torch.from_numpy(np.where(valid[..., None], targets, 0.0)).to(x), torch.from_numpy(valid).to(x.device)
    if frames.flatten:
        return x[:, 0], t.flatten(1), mask[..., None].expand_as(t).flatten(1)
    return x[mask], t[mask], torch.ones_like(t[mask], dtype=torch.bool)


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
    """Fit a :class:`ProxyHead` by regression (Adam, mean squared error over the targets in ``mask``).

    Gradients of the first layer lie in the span of the inputs. Where these are wider than they are many, as flattened
    frames are, and ``standardise`` is set, the layer is therefore learned in coordinates of that span, n instead of
    tens of thousands, and moved back at the end.

    Args:
        inputs: (n, in), standardised by the caller.
        targets: (n, out); each column is standardised over its masked values when ``standardise``.
        mask: (n, out) bool.
        generator: a CPU generator; draws the initial weights and the batches.
        steps, learning_rate, batch_size: of Adam; batches are drawn with replacement, all rows where they are fewer.
        standardise: standardise the targets, and learn in the inputs' span.
        hidden: widths of the hidden layers.
    """
    count = mask.sum(0).clamp(min=1)
    mean = (targets * mask).sum(0) / count
    spread = (((targets - mean) * mask).square().sum(0) / count).sqrt()
    if standardise:
        targets, mean = (targets - mean) / torch.where(spread > 0, spread, 1.0), torch.zeros_like(mean)
    head = ProxyHead(inputs.shape[1], targets.shape[1], generator, hidden).to(inputs)
    in_span = standardise and inputs.shape[1] > len(inputs)
    if in_span:
        full, first = head.layers[0].weight.detach(), head.layers[0]
        basis, coordinates = torch.linalg.qr(inputs.T)
        inputs, start = coordinates.T, full @ basis
        first.weight = nn.Parameter(start.clone())
    loss_mean = _error(mean.expand_as(targets), targets, mask).item()
    loss_first = _whole_loss(head, inputs, targets, mask)
    optimiser = torch.optim.Adam(head.parameters(), lr=learning_rate, fused=True)
    losses = []
    for _ in range(steps):
        rows = slice(None)
        if len(inputs) > batch_size:
            rows = torch.randint(len(inputs), (batch_size,), generator=generator).to(inputs.device)
        loss = _error(head(inputs[rows]), targets[rows], mask[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    head.eval().requires_grad_(False)
    loss_last = _whole_loss(head, inputs, targets, mask)
    if in_span:
        first.weight = nn.Parameter(full + (first.weight - start) @ basis.T, requires_grad=False)
    return ProxyFit(head, losses, loss_first, loss_last, loss_mean)


def _error(predicted: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return ((predicted - targets) * mask).square().sum() / mask.sum().clamp(min=1)


@torch.no_grad()
def _whole_loss(head: ProxyHead, inputs: Tensor, targets: Tensor, mask: Tensor, rows: int = 8192) -> float:
    parts = zip(inputs.split(rows), targets.split(rows), mask.split(rows))
    return sum(_error(head(x), t, m).item() * m.sum().item() for x, t, m in parts) / max(1, mask.sum().item())
