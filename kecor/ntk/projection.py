"""Seeded random projection of Jacobians that are known by their factors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from kecor.ntk.jacobians import Factors


class FactorProjection:
    """Unbiased sketch of a Jacobian: E <sketch(i), sketch(j)> = <J_i, J_j>.

    Both factors of a layer are projected by matrices of random signs and multiplied entry by entry, which projects
    their outer product without forming it (Rakhshan and Rabusseau, "Tensorized random projections", AISTATS 2020; as
    used for last-layer and full gradients by Holzmueller et al., JMLR 2023). The error falls with 1 / sqrt(rank).

    Args:
        sizes: widths of the two factors of each layer, without the bias' one.
        rank: number of values a sketch has.
        generator: a CPU generator.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], rank: int, generator: torch.Generator) -> None:
        self.rank = rank
        self.signs = [(self._draw(a + 1, generator), self._draw(d, generator)) for a, d in sizes]

    def _draw(self, size: int, generator: torch.Generator) -> Tensor:
        return torch.randint(2, (size, self.rank), generator=generator, dtype=torch.int8) * 2 - 1

    def __call__(self, factors: Factors) -> Tensor:
        """(n, rank) sketches."""
        total = 0.0
        for (a, d), (signs_a, signs_d) in zip(factors, self.signs):
            signs_a, signs_d = signs_a.to(a), signs_d.to(d)
            total = total + (a @ signs_a[:-1]).add_(signs_a[-1]).mul_(d @ signs_d).sum(1)
        return total / math.sqrt(self.rank)
