"""Entropy sampling."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import take_best
from kecor.acquisition.uncertainty.measures import aggregation_named, box_entropies, frame_scores
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("entropy")
class Entropy:
    """Select the frames whose boxes have the highest class entropy.

    The entropy of a box is defined in :func:`~kecor.acquisition.uncertainty.measures.box_entropies`.

    Args:
        aggregation: how the values of a frame's boxes are combined: ``mean``, ``sum`` or ``max``. A frame without boxes
            scores 0.

    Raises:
        ConfigError: ``aggregation`` is unknown.
    """

    needs = frozenset({"detections"})

    def __init__(self, aggregation: str = "mean") -> None:
        self.aggregate = aggregation_named(aggregation)

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Ties are broken by frame id."""
        return take_best(frame_scores(pool, "entropy", box_entropies, self.aggregate), pool, budget)
