"""Plain reference of KECOR's selection: sketches all Jacobians in float64, then runs a pivoted Cholesky factorisation.

It shares no code with the package except the fitted head. It does no unnecessary work: automatic differentiation stops
at the outputs of the layers, so neither weights nor features get gradients.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

BATCH = {"per_roi": 256, "flatten": 1 << 20}
"""Frames differentiated at once: as many as fit into memory with ``per_roi``, all with ``flatten``."""


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
    """(count,) rows of the picked frames.

    Args:
        pool, labelled: standardised features (N, R, C) and RoI weights (N, R).
        layers: linear layers of the fitted head, with SiLU between them.
        rank: length of a sketch.
        sigma: standard deviation of the noise.
        bonus: (N,) added to the gains.
        count: number of frames to pick.
        normalise: scale the sketch of each frame to length 1.
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

    known, candidates = sketches(*labelled), sketches(*pool)
    if normalise:
        known, candidates = (part / part.norm(dim=1, keepdim=True) for part in (known, candidates))
    scale = known.square().sum(1).mean().sqrt()
    known, candidates = known / scale, candidates / scale
    noise = sigma**2
    root = torch.linalg.cholesky(known.T @ known + noise * torch.eye(rank, dtype=torch.float64))
    features = sigma * torch.linalg.solve_triangular(root, candidates.T, upper=False).T

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
    """(n, rank) sketches of the frames' Jacobians, from the input of each layer and the gradient at its output."""
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
