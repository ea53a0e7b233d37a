"""Convolution, normalisation and ReLU in one step, where nothing is trained.

In eval mode batch normalisation is a scale and a shift of each channel. The scale goes into the weights of the
convolution before it, the shift becomes its bias, and ReLU works in place. Weights are folded anew in each forward
pass, which costs little: nothing is kept that could go stale. Training is left alone, bit for bit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def fold(weight: Tensor, norm: _BatchNorm, channel_axis: int = 0) -> tuple[Tensor, Tensor]:
    """The weight and the bias of the convolution that does what one with ``weight`` and ``norm``, in eval mode, do.

    Args:
        weight: of a convolution without bias.
        norm: the batch normalisation after it.
        channel_axis: the axis of ``weight`` that counts output channels.
    """
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    shape = [1] * weight.ndim
    shape[channel_axis] = -1
    return weight * scale.view(shape), norm.bias - mean * scale


class ConvNormReLU(nn.Sequential):
    """2D convolutions without bias, each followed by batch normalisation and ReLU; a convolution may have an
    ``nn.ZeroPad2d`` before it. In eval mode each group runs as one convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) maps to maps, in the layout of ``x`` where the convolutions keep it."""
        if self.training:
            return super().forward(x)
        border = None
        for layer in self:
            if isinstance(layer, nn.ZeroPad2d):
                border = layer.padding[::2]
            elif isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                conv = layer
            elif isinstance(layer, _BatchNorm):
                x = _convolve(x, conv, layer, border).relu_()
                border = None
        return x


def _convolve(
    x: Tensor, conv: nn.Conv2d | nn.ConvTranspose2d, norm: _BatchNorm, border: tuple[int, ...] | None
) -> Tensor:
    if isinstance(conv, nn.ConvTranspose2d):
        weight, bias = fold(conv.weight, norm, channel_axis=1)
        return F.conv_transpose2d(x, weight, bias, conv.stride)
    weight, bias = fold(conv.weight, norm)
    return F.conv2d(x, weight, bias, conv.stride, border or conv.padding)
