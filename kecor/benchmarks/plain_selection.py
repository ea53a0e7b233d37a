"""The selection as one would first write it: sketch everything in float64, then a pivoted Cholesky factorisation.

It shares nothing with the package but the fitted head, and does no work that its result does not need: automatic
differentiation stops at the layers' outputs, so that neither weights nor features get gradients.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

BATCH = {"per_roi": 256, "flatten": 1 << 20}
"""Frames taken at once: all that have one vector each; of those with many, so many as fit into memory."""


def plain_selection(
    pool: tuple[np.ndarray, np.ndarray],
    labelled: tuple[np.ndarray, np.ndarray],
    layers: list[nn.Linear],
    rank: int,
    sigma: float,
    bonus: np.ndarray,
    count: int,
    normalise: bool,
    batch: int,
    seed: int,
) -> np.ndarray:
    """(count,) rows of the picks; ``bonus`` (N,) is added to each frame's gain.

    Args:
        pool, labelled: standardised features (N, R, C) and RoI weights (N, R).
        layers: of the fitted head, SiLU between them.
        rank: values a sketch has.
        sigma: of the noise.
        bonus: added to the gains.
        count: frames to pick.
        normalise: bring each frame's sketch to length 1.
        batch: frames differentiated at once.
        seed: of the sketch.
    """
    layers = [layer.double().requires_grad_(False) for layer in layers]
    generator = torch.Generator().manual_seed(seed)
    projections = [
        [torch.randn(size, rank, dtype=torch.float64, generator=generator) for size in (a + 1, d)]
        for a, d in ((layer.in_features, layer.out_features) for layer in layers)
    ]

    def sketches(x: np.ndarray, w: np.ndarray) -> Tensor:
        parts = zip(torch.from_numpy(x).split(batch), torch.from_numpy(w).split(batch))
        return torch.cat([_sketch(*part, layers, projections) for part in parts])

    known, unknown = sketches(*labelled), sketches(*pool)
    if normalise:
        known, unknown = (part / part.norm(dim=1, keepdim=True) for part in (known, unknown))
    scale = known.square().sum(1).mean().sqrt()
    known, unknown = known / scale, unknown / scale
    noise = sigma**2
    root = torch.linalg.cholesky(known.T @ known + noise * torch.eye(rank, dtype=torch.float64))
    features = sigma * torch.linalg.solve_triangular(root, unknown.T, upper=False).T

    variance, rows = features.square().sum(1), torch.zeros(count, len(features), dtype=torch.float64)
    picks: list[int] = []
    extra = torch.from_numpy(bonus)
    for k in range(count):
        gains = 0.5 * torch.log1p(variance / noise) + extra
        gains[picks] = -torch.inf
        best = int(gains.argmax())
        column = features @ features[best]
        rows[k] = (column - rows[:k, best] @ rows[:k]) / (variance[best] + noise).sqrt()
        variance = (variance - rows[k].square()).clamp(min=0)
        picks.append(best)
    return np.array(picks)


def _sketch(x: Tensor, w: Tensor, layers: list[nn.Linear], projections: list[list[Tensor]]) -> Tensor:
    """(n, rank) sketches of the frames' Jacobians, of each layer's input and the gradient at its output."""
    inputs, outputs = [x], [layers[0](x).requires_grad_()]
    for layer in layers[1:]:
        inputs.append(nn.functional.silu(outputs[-1]))
        outputs.append(layer(inputs[-1]))
    signals = torch.autograd.grad((outputs[-1].sum(2) * w).sum(), outputs)
    rank = projections[0][0].shape[1]
    total = x.new_zeros(len(x), rank)
    for a, d, (random_a, random_d) in zip(inputs, signals, projections):
        a = torch.cat([a.detach(), torch.ones_like(a[..., :1])], 2)
        total = total + ((a @ random_a) * (d @ random_d)).sum(1)
    return total / math.sqrt(rank)
