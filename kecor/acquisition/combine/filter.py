"""Two stages: the best frames by one method's scores, and of these what another selects."""

from __future__ import annotations

from typing import Any

import numpy as np

from kecor.acquisition.base import check_argument
from kecor.acquisition.combine.parts import Part, enough
from kecor.errors import ConfigError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("filter")
class Filter:
    """Keeps the frames of the highest scores by one method and lets another select among them: say, varied frames
    among uncertain ones. At least so many are kept that they can use up the budget; of equal scores the first by id.

    Args:
        by: section of a method that gives scores: ``type`` and arguments.
        then: section of the method that selects.
        number: how many frames to keep; or
        multiple: how many times the budget they cost together, at least 1. One of the two is given.
    """

    def __init__(
        self, by: dict[str, Any], then: dict[str, Any], number: int | None = None, multiple: float | None = None
    ) -> None:
        if (number is None) == (multiple is None):
            raise ConfigError("acquisition: filter: give one of number and multiple")
        whole = isinstance(number, int) and not isinstance(number, bool)
        check_argument("number", number, number is None or (whole and number > 0), "a whole number above zero")
        times = isinstance(multiple, (int, float)) and not isinstance(multiple, bool) and 1 <= multiple < np.inf
        check_argument("multiple", multiple, multiple is None or times, "a number from 1")
        self.number, self.multiple = number or 0, multiple or 0
        self.by, self.then = Part(by, "by"), Part(then, "then")
        self.needs = self.by.needs | self.then.needs
        self.terms = self.then.terms

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Gains and info are those of the second method."""
        order = np.lexsort((pool.ids, -self.by.scores(pool, labelled, budget, rng)))
        costs, worth = budget.costs(pool.n_boxes()), self.multiple * budget.amount
        return self.then.select_among(enough(order, costs, budget, self.number, worth), pool, labelled, budget, rng)
