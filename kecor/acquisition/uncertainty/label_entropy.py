"""Entropy of the predicted classes in a frame."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import take_best
from kecor.acquisition.uncertainty.measures import class_entropy, require_detections
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("label_entropy")
class LabelEntropy:
    """Select the frames with the highest entropy of their expected boxes by class.

    This is the first stage of CRB, concise label sampling (Luo et al., "Exploring active 3D object detection from a
    generalization perspective", ICLR 2023). It measures how mixed the classes of a frame are, not how
    uncertain the detector is about any box. A frame without boxes scores 0. The authors' code counts absent classes
    once, see :func:`~kecor.acquisition.uncertainty.measures.class_entropy`; this implementation follows the paper.
    """

    needs = frozenset({"detections", "roi_scores"})

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Ties are broken by frame id."""
        require_detections(pool, "label_entropy")
        return take_best(class_entropy(pool.expected_counts()), pool, budget)
