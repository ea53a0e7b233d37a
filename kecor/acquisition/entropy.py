"""Frames whose boxes the detector is least sure of."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import take_within_budget
from kecor.acquisition.uncertainty import box_entropies, require_detections
from kecor.errors import ConfigError, SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection

AGGREGATIONS = {"mean": np.mean, "sum": np.sum, "max": np.max}


@ACQUISITIONS.register_module("entropy")
class Entropy:
    """Highest class entropy of boxes first; see :func:`~kecor.acquisition.uncertainty.box_entropies`.

    Args:
        aggregation: how the entropies of a frame's boxes become one score: ``mean``, ``sum`` or ``max``. A frame
            without boxes scores 0.
    """

    needs = frozenset({"detections"})

    def __init__(self, aggregation: str = "mean") -> None:
        if aggregation not in AGGREGATIONS:
            raise ConfigError(f"acquisition.aggregation: {aggregation!r} is none of {', '.join(AGGREGATIONS)}")
        self.aggregate = AGGREGATIONS[aggregation]

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Frames of equal score stand in the order of their ids."""
        scores = np.zeros(len(pool))
        for i, detections in enumerate(require_detections(pool, "entropy")):
            if len(detections):
                try:
                    scores[i] = self.aggregate(box_entropies(detections))
                except SelectionError as error:
                    raise SelectionError(f"entropy: frame {str(pool.ids[i])!r}: {error}") from error
        order = np.lexsort((pool.ids, -scores))
        indices = take_within_budget(order, budget.costs(pool.n_boxes()), budget)
        return Selection(indices, gains=scores[indices], scores=scores)
