"""The frames that cost least: the control of every method that saves boxes."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import take_best
from kecor.acquisition.uncertainty.measures import require_detections
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("fewest_boxes")
class FewestBoxes:
    """Select the frames with the fewest expected boxes.

    It learns nothing from what a frame holds. A method that is not better than this one at equal cost only buys cheap
    frames.
    """

    needs = frozenset({"detections", "roi_scores"})

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Ties are broken by frame id."""
        require_detections(pool, "fewest_boxes")
        return take_best(-pool.n_boxes(), pool, budget)
