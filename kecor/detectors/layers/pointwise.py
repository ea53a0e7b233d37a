"""Linear layers whose weights have the shape of a convolution with kernel size 1, as in published checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kecor.errors import ConfigError


class Pointwise(nn.Linear):
    """A linear layer whose weight has shape (out, in, 1, ...), with ``kernel_dims`` trailing ones."""

    def __init__(self, in_channels: int, out_channels: int, kernel_dims: int, bias: bool = False):
        super().__init__(in_channels, out_channels, bias)
        shape = (out_channels, in_channels, *[1] * kernel_dims)
        self.weight = nn.Parameter(self.weight.detach().reshape(shape))

    @property
    def matrix(self) -> Tensor:
        """(out, in) weight."""
        return self.weight.flatten(1)

    def forward(self, rows: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        return F.linear(rows, self.matrix, self.bias)


def roi_layers(
    in_channels: int, widths: Sequence[int], dropout: float, out_channels: int | None = None
) -> nn.Sequential:
    """The fully connected layers of the RoI heads of PV-RCNN and SECOND-IoU.

    Linear, batch normalisation and ReLU for each width, with dropout after the first group, and a last linear layer
    with bias if ``out_channels`` is given. Weights are initialised as in Glorot and Bengio 2010 (Xavier).

    Raises:
        ConfigError: no widths, or a dropout probability outside [0, 1).
    """
    if not widths or not 0 <= dropout < 1:
        raise ConfigError("detector.roi_head: shared and widths need one number per layer, dropout must be in [0, 1)")
    layers: list[nn.Module] = []
    for number, width in enumerate(widths):
        layers += [Pointwise(in_channels, width, 1), nn.BatchNorm1d(width), nn.ReLU()]
        if number == 0:
            layers.append(nn.Dropout(dropout))
        in_channels = width
    if out_channels is not None:
        last = Pointwise(in_channels, out_channels, 1, bias=True)
        nn.init.zeros_(last.bias)
        layers.append(last)
    for layer in layers:
        if isinstance(layer, Pointwise):
            nn.init.xavier_normal_(layer.weight)
    return nn.Sequential(*layers)


def point_layers(in_channels: int, widths: Sequence[int], out_channels: int | None = None) -> nn.Sequential:
    """Linear, batch normalisation and ReLU for each width, and a last linear layer if ``out_channels`` is given."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(in_channels, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
        in_channels = width
    if out_channels is not None:
        layers.append(nn.Linear(in_channels, out_channels))
    return nn.Sequential(*layers)


def run_rows(layers: nn.Sequential, rows: Tensor) -> Tensor:
    """Apply ``layers`` to (N, C) rows in float32, under autocast too: they are cheap, and their precision matters.

    N may be 0, which batch normalisation in training mode would not accept.
    """
    if len(rows) == 0:
        width = [layer for layer in layers if isinstance(layer, nn.Linear)][-1].out_features
        return rows.new_zeros(0, width, dtype=torch.float32)
    with torch.autocast(rows.device.type, enabled=False):
        return layers(rows.float())
