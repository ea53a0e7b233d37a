"""Weighted sum of the scores of several methods."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

from kecor.acquisition.arguments import check_argument, check_choice, check_number
from kecor.acquisition.base import take_best
from kecor.acquisition.combine.parts import Part
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("weighted_sum")
class WeightedSum:
    """Select the frames with the highest weighted sum of several methods' normalised scores.

    Args:
        methods: sections of methods that return scores: ``type`` and arguments of each.
        weights: one per method, 1 by default. A negative weight prefers low scores.
        normalise: ``rank``: the share of the other frames with a lower score, from 0 to 1 (ties share their mean rank),
            which is robust to outliers. ``z``: scores minus their mean, divided by their standard deviation; 0 if all
            scores are equal.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self, methods: list[dict[str, Any]], weights: list[float] | None = None, normalise: str = "rank"
    ) -> None:
        is_list = isinstance(methods, (list, tuple)) and len(methods) > 0
        check_argument("methods", methods, is_list, "a list of sections")
        self.methods = [Part(section, f"methods[{i}]") for i, section in enumerate(methods)]
        weights = [1.0] * len(methods) if weights is None else weights
        fits = isinstance(weights, (list, tuple)) and len(weights) == len(methods)
        check_argument("weights", weights, fits, f"a list of {len(methods)} numbers")
        for i, weight in enumerate(weights):
            check_number(f"weights[{i}]", weight, lambda v: True, "a number")
        check_choice("normalise", normalise, NORMALISATIONS)
        self.weights, self.normalise = weights, NORMALISATIONS[normalise]
        self.needs = frozenset().union(*(part.needs for part in self.methods))

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Ties are broken by frame id."""
        order, total = np.argsort(pool.ids), np.zeros(len(pool))
        for part, weight in zip(self.methods, self.weights):
            scores = part.scores(pool, labelled, budget, rng)
            total[order] += weight * self.normalise(scores[order])
        return take_best(np.round(total, 12), pool, budget)  # rounded so that equal sums of ranks stay ties


def ranks(scores: np.ndarray) -> np.ndarray:
    """(N,) share of the other scores that are lower, equal ones counting half; 0 for a single score."""
    return (rankdata(scores) - 1) / max(1, len(scores) - 1)


def z_scores(scores: np.ndarray) -> np.ndarray:
    """(N,) scores with mean 0 and standard deviation 1; zeros if all are equal."""
    if not len(scores) or np.ptp(scores) == 0:
        return np.zeros(len(scores))
    return (scores - scores.mean()) / scores.std()


NORMALISATIONS = {"rank": ranks, "z": z_scores}
