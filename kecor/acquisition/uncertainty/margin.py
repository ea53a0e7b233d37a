"""Margin sampling."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import take_best
from kecor.acquisition.uncertainty.measures import aggregation_named, box_probabilities, frame_scores
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, Detections, FrameSet, Selection


@ACQUISITIONS.register_module("margin")
class Margin:
    """Select the frames whose boxes have the smallest margin between the two most probable classes.

    Scheffer, Decomain and Wrobel, "Active hidden Markov models for information extraction", IDA 2001. Extended to
    frames with several boxes by aggregating ``1 - margin``, so that higher scores mean more uncertainty. Probabilities
    are those of :func:`~kecor.acquisition.uncertainty.measures.box_probabilities`.

    Args:
        aggregation: how the values of a frame's boxes are combined: ``mean``, ``sum`` or ``max`` (the smallest margin
            of the frame). A frame without boxes scores 0.

    Raises:
        ConfigError: ``aggregation`` is unknown.
    """

    needs = frozenset({"detections"})

    def __init__(self, aggregation: str = "mean") -> None:
        self.aggregate = aggregation_named(aggregation)

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Ties are broken by frame id."""
        return take_best(frame_scores(pool, "margin", one_minus_margin, self.aggregate), pool, budget)


def one_minus_margin(detections: Detections) -> np.ndarray:
    """(K,) one minus the difference between the two highest class probabilities of each box."""
    highest = np.partition(box_probabilities(detections), -2, axis=1)[:, -2:]
    return 1 - (highest[:, 1] - highest[:, 0])
