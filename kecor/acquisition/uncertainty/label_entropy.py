"""Frames in which the detector sees many classes, none of them rare."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import take_best
from kecor.acquisition.uncertainty.measures import class_entropy, require_detections
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("label_entropy")
class LabelEntropy:
    """Highest entropy of the histogram of predicted classes first, a frame without boxes scoring 0.

    This is the first stage of CRB by itself: concise label sampling (Luo et al., "Exploring active 3D object detection
    from a generalization perspective", ICLR 2023). It says how mixed the objects of a frame are, not how sure the
    detector is of any of them. Deviation: none of the paper; its released code counts absent classes once, see
    :func:`~kecor.acquisition.uncertainty.measures.class_entropy`.
    """

    needs = frozenset({"detections"})

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Frames of equal score stand in the order of their ids."""
        return take_best(class_entropy(require_detections(pool, "label_entropy")), pool, budget)
