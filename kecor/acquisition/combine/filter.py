"""Two-stage selection: keep the best frames by one method's scores, then select among them with another method."""

from __future__ import annotations

from typing import Any

import numpy as np

from kecor.acquisition.arguments import check_count, check_number
from kecor.acquisition.combine.parts import Part, first_worth
from kecor.errors import ConfigError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("filter")
class Filter:
    """Keep the frames with the highest scores by one method and select among them with another.

    For example, diverse frames among uncertain ones. Enough frames are kept to use up the budget; ties are broken by
    frame id.

    Args:
        by: section of a method that returns scores: ``type`` and arguments.
        then: section of the method that selects.
        number: how many frames to keep. Give either this or ``multiple``.
        multiple: the cost of the frames to keep, in budgets, at least 1.

    Raises:
        ConfigError: an argument is out of range, not exactly one of ``number`` and ``multiple`` is given, or a section
            is wrong.
    """

    def __init__(
        self, by: dict[str, Any], then: dict[str, Any], number: int | None = None, multiple: float | None = None
    ) -> None:
        if (number is None) == (multiple is None):
            raise ConfigError("acquisition: filter: give one of number and multiple")
        check_count("number", number, optional=True)
        check_number("multiple", multiple, lambda v: v >= 1, "a number of at least 1", optional=True)
        self.number, self.multiple = number or 0, multiple or 0.0
        self.by, self.then = Part(by, "by"), Part(then, "then")
        self.needs = self.by.needs | self.then.needs
        self.terms = self.then.terms

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Gains and info are those of the second method."""
        order = np.lexsort((pool.ids, -self.by.scores(pool, labelled, budget, rng)))
        cost = self.multiple * budget.amount
        kept = first_worth(order, budget.costs(pool.n_boxes()), budget, self.number, cost)
        return self.then.select_among(kept, pool, labelled, budget, rng)
