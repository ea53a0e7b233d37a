"""Layer-wise factors of a proxy head's Jacobian.

The Jacobian of a linear layer is the outer product of its back-signal and its input (for the weights), and the
back-signal itself (for the bias), so two vectors a layer say all that is needed of it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import linear

from kecor.ntk.proxy import ProxyHead

Factors = list[tuple[Tensor, Tensor]]
"""One pair (input (n, R, C), back-signal (n, R, D)) a layer; a frame's Jacobian is the sum over R of their products."""


def factor_sizes(head: ProxyHead, output: str) -> list[tuple[int, int]]:
    """The widths (C, D) of each layer's factors."""
    outputs = head.layers[-1].out_features if output == "full" else 1
    hidden = [(layer.in_features, outputs * layer.out_features) for layer in head.layers[:-1]]
    return [*hidden, (head.layers[-1].in_features, 1)]


@torch.no_grad()
def layer_factors(head: ProxyHead, x: Tensor, weights: Tensor, output: str) -> Factors:
    """The factors of d/dW sum_r weights[r] head(x[r]) for frames ``x`` (n, R, C) with RoI ``weights`` (n, R).

    ``output="sum"`` differentiates the sum of the head's outputs, as the released code does; ``"full"`` each output by
    itself, their back-signals side by side, so that inner products give the trace of the full Jacobian product. The
    weights are folded into the back-signals. The last layer's back-signal is the same for every input (the unit
    vectors or their sum: squared norm = number of outputs T), so the scalar sqrt(T) stands for it.
    """
    *hidden, last = head.layers
    inputs, slopes = [x], []
    for layer in hidden:
        activation, slope = _silu(linear(inputs[-1], layer.weight, layer.bias))
        inputs.append(activation)
        slopes.append(slope)
    outputs = last.weight if output == "full" else last.weight.sum(0, keepdim=True)
    back = (slopes[-1] * weights[..., None])[..., None, :] * outputs  # (n, R, O, D)
    signals = [back]
    for layer, slope in zip(reversed(hidden[1:]), reversed(slopes[:-1])):
        back = (back @ layer.weight).mul_(slope[..., None, :])
        signals.insert(0, back)
    ends = weights[..., None] * math.sqrt(last.out_features)
    return list(zip(inputs, [*(signal.flatten(2) for signal in signals), ends]))


def _silu(z: Tensor) -> tuple[Tensor, Tensor]:
    """``z sigmoid(z)`` and its derivative ``s + z s (1 - s)``, in as few passes over memory as can be."""
    gate = torch.sigmoid(z)
    activation = z.mul_(gate)
    return activation, torch.addcmul(gate, activation, gate, value=-1).add_(activation)
