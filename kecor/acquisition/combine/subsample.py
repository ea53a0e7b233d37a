"""Another method on a random part of the pool."""

from __future__ import annotations

from typing import Any

import numpy as np

from kecor.acquisition.base import check_argument
from kecor.acquisition.combine.parts import Part, enough
from kecor.errors import ConfigError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("subsample")
class Subsample:
    """Draws frames of the pool at random and lets another method select among them, which makes it faster and, where it
    would pick much of the same, more varied. At least so many are drawn that they can use up the budget.

    Args:
        then: section of the method that selects: ``type`` and arguments.
        number: how many frames to draw; or
        fraction: what share of the pool, above 0 and at most 1. One of the two is given.
    """

    def __init__(self, then: dict[str, Any], number: int | None = None, fraction: float | None = None) -> None:
        if (number is None) == (fraction is None):
            raise ConfigError("acquisition: subsample: give one of number and fraction")
        whole = isinstance(number, int) and not isinstance(number, bool)
        check_argument("number", number, number is None or (whole and number > 0), "a whole number above zero")
        share = isinstance(fraction, (int, float)) and not isinstance(fraction, bool) and 0 < fraction <= 1
        check_argument("fraction", fraction, fraction is None or share, "a number above 0 and at most 1")
        self.number, self.fraction, self.then = number, fraction, Part(then, "then")
        self.needs = self.then.needs
        self.terms = self.then.terms

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Gains and info are the inner method's."""
        count = self.number or int(np.ceil((self.fraction or 0) * len(pool)))
        order = np.argsort(pool.ids)[rng.permutation(len(pool))]
        drawn = enough(order, budget.costs(pool.n_boxes()), budget, count)
        return self.then.select_among(drawn, pool, labelled, budget, rng)
