"""Frames whose boxes' likeliest classes are the least likely."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import take_best
from kecor.acquisition.uncertainty.measures import aggregation_named, box_probabilities, frame_scores
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, Detections, FrameSet, Selection


@ACQUISITIONS.register_module("least_confidence")
class LeastConfidence:
    """Highest ``1 - max_c p(c)`` of boxes first (Lewis and Gale, "A sequential algorithm for training text
    classifiers", SIGIR 1994; in this form Settles, "Active learning literature survey", 2009).

    Deviation: a frame has many boxes, so the doubts of its boxes are aggregated. p is the box's class distribution as
    in :func:`~kecor.acquisition.uncertainty.measures.box_probabilities`: the doubt between classes.

    Args:
        aggregation: how the doubts of a frame's boxes become one score: ``mean``, ``sum`` or ``max``. A frame without
            boxes scores 0.
    """

    needs = frozenset({"detections"})

    def __init__(self, aggregation: str = "mean") -> None:
        self.aggregate = aggregation_named(aggregation)

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Frames of equal score stand in the order of their ids."""
        return take_best(frame_scores(pool, "least_confidence", box_doubts, self.aggregate), pool, budget)


def box_doubts(detections: Detections) -> np.ndarray:
    """(K,) one less the highest class probability of each box."""
    return 1 - box_probabilities(detections).max(1)
