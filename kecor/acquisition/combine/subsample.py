"""Selection from a random part of the pool."""

from __future__ import annotations

from typing import Any

import numpy as np

from kecor.acquisition.arguments import check_count, check_number
from kecor.acquisition.combine.parts import Part, first_worth
from kecor.errors import ConfigError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("subsample")
class Subsample:
    """Draw frames at random and select among them with another method.

    This makes the method faster and, if it tends to pick similar frames, more varied. Enough frames are drawn to use up
    the budget.

    Args:
        then: section of the method that selects: ``type`` and arguments.
        number: how many frames to draw. Give either this or ``fraction``.
        fraction: the share of the pool to draw, above 0 and at most 1.

    Raises:
        ConfigError: an argument is out of range, not exactly one of ``number`` and ``fraction`` is given, or the
            section is wrong.
    """

    def __init__(self, then: dict[str, Any], number: int | None = None, fraction: float | None = None) -> None:
        if (number is None) == (fraction is None):
            raise ConfigError("acquisition: subsample: give one of number and fraction")
        check_count("number", number, optional=True)
        check_number("fraction", fraction, lambda v: 0 < v <= 1, "a number above 0 and at most 1", optional=True)
        self.number, self.fraction, self.then = number or 0, fraction or 0.0, Part(then, "then")
        self.needs = self.then.needs
        self.terms = self.then.terms

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Gains and info are those of the inner method."""
        count = self.number or int(np.ceil(self.fraction * len(pool)))
        order = np.argsort(pool.ids)[rng.permutation(len(pool))]
        drawn = first_worth(order, budget.costs(pool.n_boxes()), budget, count)
        return self.then.select_among(drawn, pool, labelled, budget, rng)
