"""A weighted sum of several methods' scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

from kecor.acquisition.base import check_argument, take_best
from kecor.acquisition.combine.parts import Part
from kecor.errors import ConfigError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("weighted_sum")
class WeightedSum:
    """Highest weighted sum of several methods' scores first, each brought to one scale over the pool before.

    Args:
        methods: sections of methods that give scores: ``type`` and arguments each.
        weights: one a method; all 1 by default. A weight below 0 prefers low scores.
        normalise: ``rank``: a frame's score is the share of the other frames that it outranks, from 0 to 1, equals
            sharing their mean rank, so that outliers do not matter; ``z``: scores less their mean over their standard
            deviation, 0 where all are the same.
    """

    def __init__(
        self, methods: list[dict[str, Any]], weights: list[float] | None = None, normalise: str = "rank"
    ) -> None:
        check_argument(
            "methods", methods, isinstance(methods, (list, tuple)) and len(methods) > 0, "a list of sections"
        )
        self.methods = [Part(section, f"methods[{i}]") for i, section in enumerate(methods)]
        weights = [1.0] * len(methods) if weights is None else weights
        if not isinstance(weights, (list, tuple)) or len(weights) != len(methods):
            raise ConfigError(f"acquisition.weights: expected a list of {len(methods)} numbers, got {weights!r}")
        for i, weight in enumerate(weights):
            fits = isinstance(weight, (int, float)) and not isinstance(weight, bool) and np.isfinite(weight)
            check_argument(f"weights[{i}]", weight, fits, "a number")
        check_argument("normalise", normalise, normalise in NORMALISATIONS, f"one of {', '.join(NORMALISATIONS)}")
        self.weights, self.normalise = weights, NORMALISATIONS[normalise]
        self.needs = frozenset().union(*(part.needs for part in self.methods))

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Frames of equal score stand in the order of their ids."""
        order, total = np.argsort(pool.ids), np.zeros(len(pool))
        for part, weight in zip(self.methods, self.weights):
            scores = part.scores(pool, labelled, budget, rng)
            total[order] += weight * self.normalise(scores[order])
        return take_best(np.round(total, 12), pool, budget)  # ties of ranks stay ties, however the terms were rounded


def ranks(scores: np.ndarray) -> np.ndarray:
    """(N,) share of the other scores that each exceeds, an equal one counting half; one score alone has 0."""
    return (rankdata(scores) - 1) / max(1, len(scores) - 1)


def z_scores(scores: np.ndarray) -> np.ndarray:
    """(N,) scores of mean 0 and standard deviation 1; zeros where all are the same."""
    if not len(scores) or np.ptp(scores) == 0:
        return np.zeros(len(scores))
    return (scores - scores.mean()) / scores.std()


NORMALISATIONS = {"rank": ranks, "z": z_scores}
