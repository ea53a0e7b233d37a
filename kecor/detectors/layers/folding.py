"""Batch normalisation folded into the convolution before it, in eval mode.

In eval mode batch normalisation scales and shifts each channel. The scale is multiplied into the weight of the
convolution, the shift becomes its bias, and ReLU runs in place. The weights are folded in every forward pass, which is
cheap and leaves no copy that could become stale. Training mode is unchanged.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def fold(weight: Tensor, norm: _BatchNorm, channel_axis: int = 0) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that equals a convolution with ``weight`` followed by ``norm`` in eval mode.

    Args:
        weight: weight of a convolution without bias.
        norm: the batch normalisation after it.
        channel_axis: axis of the output channels in ``weight``.
    """
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    shape = [1] * weight.ndim
    shape[channel_axis] = -1
    return weight * scale.view(shape), norm.bias - mean * scale


class ConvNormReLU(nn.Sequential):
    """2D convolutions without bias, each followed by batch normalisation and ReLU, optionally with an ``nn.ZeroPad2d``
    before the convolution. In eval mode each such group runs as one convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) maps to (N, C', H', W') maps."""
        if self.training:
            return super().forward(x)
        padding = None
        for layer in self:
            if isinstance(layer, nn.ZeroPad2d):
                padding = layer.padding[::2]
            elif isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                conv = layer
            elif isinstance(layer, _BatchNorm):
                x = _convolve(x, conv, layer, padding).relu_()
                padding = None
        return x


def _convolve(
    x: Tensor, conv: nn.Conv2d | nn.ConvTranspose2d, norm: _BatchNorm, padding: tuple[int, ...] | None
) -> Tensor:
    if isinstance(conv, nn.ConvTranspose2d):
        weight, bias = fold(conv.weight, norm, channel_axis=1)
        return F.conv_transpose2d(x, weight, bias, conv.stride)
    weight, bias = fold(conv.weight, norm)
    return F.conv2d(x, weight, bias, conv.stride, padding or conv.padding)
