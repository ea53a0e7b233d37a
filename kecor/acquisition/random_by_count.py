"""Random frames, stratified by how many boxes they are expected to hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kecor.acquisition.arguments import check_count
from kecor.acquisition.base import take_within_budget
from kecor.acquisition.uncertainty.measures import require_detections
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("random_by_count")
class RandomByCount:
    """Select frames at random, equally many of each stratum of the expected number of boxes.

    The pool is ordered by its expected boxes and cut into strata of equal size. Each turn takes one frame of every
    stratum, in random order. So sparse and crowded frames are picked as often as they occur, with less variance than
    by plain random selection.

    Args:
        strata: number of strata; with fewer frames, each frame is one.
    """

    needs = frozenset({"detections", "roi_scores"})

    def __init__(self, strata: int = 10) -> None:
        check_count("strata", strata)
        self.strata = strata

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. All gains are 0."""
        require_detections(pool, "random_by_count")
        counts = pool.n_boxes()
        ordered = np.lexsort((pool.ids, counts))
        shuffled = [rng.permutation(part) for part in np.array_split(ordered, min(self.strata, max(1, len(pool))))]
        indices = take_within_budget(_in_turn(shuffled, rng), budget.costs(counts), budget)
        return Selection(indices, gains=np.zeros(len(indices)))


def _in_turn(strata: list[np.ndarray], rng: np.random.Generator) -> Iterator[int]:
    """One position of each stratum after the other, in a new random order each turn."""
    for turn in range(max(len(part) for part in strata)):
        for number in rng.permutation(len(strata)):
            if turn < len(strata[number]):
                yield int(strata[number][turn])
