"""Layer-wise factors of the proxy head's Jacobian.

For a linear layer ``z = W a + b`` with back-signal ``d = df/dz``, the derivatives are ``df/dW = d a^T`` and
``df/db = d`` (design, section 5.2). The pair ``(a, d)`` per layer therefore replaces the Jacobian itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import linear

from kecor.ntk.proxy import ProxyHead

Factors = list[tuple[Tensor, Tensor]]
"""One pair per layer: input ``a`` (n, R, C) and back-signal ``d`` (n, R, D). The Jacobian of a frame with respect to
the layer's weights is ``sum_r d_r a_r^T``, with respect to its bias ``sum_r d_r``."""


def factor_sizes(head: ProxyHead, output: str) -> list[tuple[int, int]]:
    """The widths (C, D) of the factors of each layer."""
    *hidden, last = head.linears
    outputs = last.out_features if output == "full" else 1
    return [*((layer.in_features, outputs * layer.out_features) for layer in hidden), (last.in_features, 1)]


@torch.no_grad()
def layer_factors(head: ProxyHead, x: Tensor, weights: Tensor, output: str) -> Factors:
    """Factors of the Jacobian of ``f = sum_r weights[r] head(x[r])`` with respect to the head's parameters.

    Args:
        head: the proxy head.
        x: (n, R, C) RoI features of n frames.
        weights: (n, R) weight of each RoI; they are multiplied into the back-signals.
        output: ``sum`` for the gradient of the summed outputs, as in the authors' code; ``full`` for the gradients of
            all T outputs, concatenated along D, whose inner product is the trace of the full Jacobian product.
    """
    *hidden, last = head.linears
    inputs, slopes = [x], []
    for layer in hidden:  # forward: a_{l+1} = silu(W_l a_l + b_l)
        activation, slope = _silu_and_slope(linear(inputs[-1], layer.weight, layer.bias))
        inputs.append(activation)
        slopes.append(slope)
    outputs = last.weight if output == "full" else last.weight.sum(0, keepdim=True)
    back = (slopes[-1] * weights[..., None])[..., None, :] * outputs  # (n, R, T or 1, D)
    signals = [back]
    for layer, slope in zip(reversed(hidden[1:]), reversed(slopes[:-1])):  # backward: d_l = silu'(z_l) * (d_{l+1} W)
        back = (back @ layer.weight).mul_(slope[..., None, :])
        signals.insert(0, back)
    # The last layer's back-signal is the same for all inputs: the T unit vectors, or their sum. Both have squared norm
    # T, so the scalar sqrt(T) gives the same inner products.
    ends = weights[..., None] * math.sqrt(last.out_features)
    return list(zip(inputs, [*(signal.flatten(2) for signal in signals), ends]))


def _silu_and_slope(z: Tensor) -> tuple[Tensor, Tensor]:
    """``z s`` and its derivative ``s + z s (1 - s)``, where ``s = sigmoid(z)``. Overwrites ``z`` to save memory."""
    gate = torch.sigmoid(z)
    activation = z.mul_(gate)
    return activation, torch.addcmul(gate, activation, gate, value=-1).add_(activation)
