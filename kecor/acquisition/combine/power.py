"""Frames drawn at random in proportion to a power of another method's scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from kecor.acquisition.base import check_argument, take_within_budget
from kecor.acquisition.combine.parts import Part
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("power")
class Power:
    """Draws frames without replacement in proportion to ``score ** beta``, by the order of ``beta log(score)`` plus
    standard Gumbel noise (Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron and Gal, "Stochastic batch
    acquisition: a simple baseline for deep active learning", TMLR 2023: power acquisition).

    The noise keeps a batch from being many frames of one kind: scores say less and less of what a frame is worth once
    others are picked. ``beta`` 0 draws at random; a large one goes by the scores. Deviation: frames of score 0, which
    are never drawn, come last, in random order.

    Args:
        of: section of a method that gives scores, none below 0: ``type`` and arguments.
        beta: the power, 1 in the paper's experiments; not below 0.
    """

    def __init__(self, of: dict[str, Any], beta: float = 1.0) -> None:
        fits = isinstance(beta, (int, float)) and not isinstance(beta, bool) and 0 <= beta < np.inf
        check_argument("beta", beta, fits, "a number not below zero")
        self.beta, self.of = beta, Part(of, "of")
        self.needs = self.of.needs

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Gains and scores are the other method's scores.

        Raises:
            SelectionError: a score is below 0.
        """
        scores = self.of.scores(pool, labelled, budget, rng)
        if (scores < 0).any():
            frame = str(pool.ids[np.argmin(scores)])
            raise SelectionError(
                f"power: {self.of.name} gives frame {frame!r} the score {scores.min():g}, below 0: there is no power "
                "of it to draw by; scores by rank (weighted_sum of one method, normalise: rank) are never below 0"
            )
        noise = np.empty(len(pool))
        noise[np.argsort(pool.ids)] = rng.gumbel(size=len(pool))
        keys = noise + self.beta * np.log(np.where(scores > 0, scores, 1.0))
        order = np.lexsort((pool.ids, -keys, scores <= 0))
        indices = take_within_budget(order, budget.costs(pool.n_boxes()), budget)
        return Selection(indices, gains=scores[indices], scores=scores)
