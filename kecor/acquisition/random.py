"""Random selection: the baseline of every comparison."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import take_within_budget
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("random")
class Random:
    """Select frames uniformly at random. The order depends on ``rng`` and the set of ids, not on the pool's order."""

    needs: frozenset[str] = frozenset()

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. All gains are 0."""
        order = np.argsort(pool.ids)[rng.permutation(len(pool))]
        indices = take_within_budget(order, budget.costs(pool.n_boxes()), budget)
        return Selection(indices, gains=np.zeros(len(indices)))
