"""Random projection of Jacobians given by their factors."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from kecor.ntk.jacobians import Factors


class FactorProjection:
    """Projects Jacobians to ``rank`` values such that ``E <p(i), p(j)> = <J_i, J_j>``.

    Both factors of a layer are projected by matrices of random signs and multiplied elementwise. This equals a random
    projection of their outer product, which is never formed (Rakhshan and Rabusseau, "Tensorized random projections",
    AISTATS 2020; used for gradients by Holzmueller et al., JMLR 2023). The error of an inner product falls
    with ``1 / sqrt(rank)``.

    Args:
        sizes: widths (C, D) of the two factors of each layer, without the bias input.
        rank: number of values per frame.
        generator: a CPU generator that draws the signs.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], rank: int, generator: torch.Generator) -> None:
        self.rank = rank
        self.signs = [(self._draw(a + 1, generator), self._draw(d, generator)) for a, d in sizes]

    def _draw(self, size: int, generator: torch.Generator) -> Tensor:
        return torch.randint(2, (size, self.rank), generator=generator, dtype=torch.int8) * 2 - 1

    def __call__(self, factors: Factors) -> Tensor:
        """(n, rank) projections of the Jacobians of n frames."""
        layers = []
        for (a, d), (signs_a, signs_d) in zip(factors, self.signs):
            signs_a, signs_d = signs_a.to(a), signs_d.to(d)
            with_bias = (a @ signs_a[:-1]).add_(signs_a[-1])  # the last row projects the constant input of the bias
            layers.append(with_bias.mul_(d @ signs_d).sum(1))
        return reduce(operator.add, layers) / math.sqrt(self.rank)
