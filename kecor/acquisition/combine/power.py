"""Power acquisition: sampling in proportion to a power of another method's scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from kecor.acquisition.arguments import check_number
from kecor.acquisition.base import take_within_budget
from kecor.acquisition.combine.parts import Part
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("power")
class Power:
    """Draw frames without replacement with probability proportional to ``score ** beta``.

    Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron and Gal, "Stochastic batch acquisition: a simple baseline
    for deep active learning", TMLR 2023 (power acquisition). Equivalent to ranking by ``beta log(score)`` plus standard
    Gumbel noise. The noise avoids batches of many similar frames, whose scores drop once one of them is labelled.

    Difference from the paper: frames with score 0, which are never drawn there, come last in random order.

    Args:
        of: section of a method that returns non-negative scores: ``type`` and arguments.
        beta: the power, non-negative; the paper uses 1. 0 draws uniformly, large values rank by score.

    Raises:
        ConfigError: ``beta`` is out of range or the section is wrong.
    """

    def __init__(self, of: dict[str, Any], beta: float = 1.0) -> None:
        check_number("beta", beta, lambda v: v >= 0, "a number of at least 0")
        self.beta, self.of = beta, Part(of, "of")
        self.needs = self.of.needs

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Gains and scores are the other method's scores.

        Raises:
            SelectionError: a score is negative.
        """
        scores = self.of.scores(pool, labelled, budget, rng)
        if (scores < 0).any():
            frame = str(pool.ids[np.argmin(scores)])
            raise SelectionError(
                f"power: {self.of.name} gives frame {frame!r} the score {scores.min():g}; expected scores of at least "
                "0. Use its ranks instead: of: {type: weighted_sum, methods: [...], normalise: rank}"
            )
        noise = np.empty(len(pool))
        noise[np.argsort(pool.ids)] = rng.gumbel(size=len(pool))
        keys = noise + self.beta * np.log(np.where(scores > 0, scores, 1.0))
        order = np.lexsort((pool.ids, -keys, scores <= 0))
        indices = take_within_budget(order, budget.costs(pool.n_boxes()), budget)
        return Selection(indices, gains=scores[indices], scores=scores)
