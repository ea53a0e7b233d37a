"""Layer-wise factors of a proxy head's Jacobian.

The Jacobian of a linear layer's weights and bias is the outer product of the layer's back-signal and its input with a
one appended, so two vectors a layer say all that is needed of it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kecor.ntk.proxy import ProxyHead

Factors = list[tuple[Tensor, Tensor]]
"""One pair (input (n, R, C + 1), back-signal (n, R, D)) a layer; the Jacobian is the sum over R of their products."""


def factor_sizes(head: ProxyHead, output: str) -> list[tuple[int, int]]:
    """The widths (C + 1, D) of each layer's factors."""
    outputs = head.layers[-1].out_features if output == "full" else 1
    hidden = [(layer.in_features + 1, outputs * layer.out_features) for layer in head.layers[:-1]]
    return [*hidden, (head.layers[-1].in_features + 1, 1)]


@torch.no_grad()
def layer_factors(head: ProxyHead, x: Tensor, weights: Tensor, output: str) -> Factors:
    """The factors of d/dW sum_r weights[r] head(x[r]) for frames ``x`` (n, R, C) with RoI ``weights`` (n, R).

    ``output="sum"`` differentiates the sum of the head's outputs, as the released code does; ``"full"`` each output by
    itself, their back-signals side by side, so that inner products give the trace of the full Jacobian product. The
    weights are folded into the back-signals. The last layer's back-signal is the same for every input (the unit
    vectors or their sum: squared norm = number of outputs T), so the scalar sqrt(T) stands for it.
    """
    inputs, slopes = [], []
    signal_in = x
    for layer in head.layers:
        inputs.append(torch.cat([signal_in, torch.ones_like(signal_in[..., :1])], -1))
        z = layer(signal_in)
        gate = torch.sigmoid(z)
        slopes.append(gate * (1 + z * (1 - gate)))
        signal_in = z * gate
    outputs = head.layers[-1].out_features
    signals = [weights[..., None] * math.sqrt(outputs)]
    unit = torch.eye(outputs).to(x) if output == "full" else torch.ones(1, outputs).to(x)
    back = unit * weights[..., None, None]  # (n, R, O, T)
    for layer, slope in zip(reversed(head.layers[1:]), reversed(slopes[:-1])):
        back = (back @ layer.weight) * slope[..., None, :]
        signals.insert(0, back.flatten(2))
    return list(zip(inputs, signals))
