"""Least-confidence sampling."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import take_best
from kecor.acquisition.uncertainty.measures import aggregation_named, box_probabilities, frame_scores
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, Detections, FrameSet, Selection


@ACQUISITIONS.register_module("least_confidence")
class LeastConfidence:
    """Select the frames whose boxes have the highest ``1 - max_c p(c)``.

    Lewis and Gale, "A sequential algorithm for training text classifiers", SIGIR 1994; in this form Settles, "Active
    learning literature survey", 2009. Extended to frames with several boxes by aggregation. ``p`` is the distribution
    over classes of :func:`~kecor.acquisition.uncertainty.measures.box_probabilities`.

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
        return take_best(frame_scores(pool, "least_confidence", box_uncertainties, self.aggregate), pool, budget)


def box_uncertainties(detections: Detections) -> np.ndarray:
    """(K,) one minus the highest class probability of each box."""
    return 1 - box_probabilities(detections).max(1)
