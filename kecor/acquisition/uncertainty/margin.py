"""Frames whose boxes' two likeliest classes are the closest."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import take_best
from kecor.acquisition.uncertainty.measures import aggregation_named, box_probabilities, frame_scores
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, Detections, FrameSet, Selection


@ACQUISITIONS.register_module("margin")
class Margin:
    """Smallest margin of boxes first: the difference of their two highest class probabilities (Scheffer, Decomain and
    Wrobel, "Active hidden Markov models for information extraction", IDA 2001).

    Deviations: a frame has many boxes, so these are aggregated; what is aggregated is one less the margin, so that a
    higher score means more doubt and a frame without boxes, of which there is nothing to doubt, scores 0. The
    probabilities are those of :func:`~kecor.acquisition.uncertainty.measures.box_probabilities`.

    Args:
        aggregation: how the doubts of a frame's boxes become one score: ``mean``, ``sum`` or ``max``; ``max`` goes by
            the smallest margin in the frame.
    """

    needs = frozenset({"detections"})

    def __init__(self, aggregation: str = "mean") -> None:
        self.aggregate = aggregation_named(aggregation)

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Frames of equal score stand in the order of their ids."""
        return take_best(frame_scores(pool, "margin", narrowness, self.aggregate), pool, budget)


def narrowness(detections: Detections) -> np.ndarray:
    """(K,) one less the margin between the two highest class probabilities of each box."""
    highest = np.partition(box_probabilities(detections), -2, axis=1)[:, -2:]
    return 1 - (highest[:, 1] - highest[:, 0])
