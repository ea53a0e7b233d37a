"""Frames that leave no frame far from a labelled one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from kecor.acquisition.base import take_picks, within
from kecor.acquisition.diversity.distances import Cover, VectorDistances, squared_distances
from kecor.acquisition.diversity.frame_vectors import checked_feature, pair_vectors
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("coreset")
class Coreset:
    """Greedy k-centre: the frame farthest from its nearest centre, which then is a centre itself; the labelled frames
    are the first ones (Sener and Savarese, "Active learning for convolutional neural networks: a core-set approach",
    ICLR 2018, algorithm 1). The largest distance left is at most twice the least that so many picks can leave.

    Deviations: the robust variant (algorithm 2, a mixed-integer programme that leaves outliers out) is not offered; the
    vector of a frame is what :func:`~kecor.acquisition.frame_vectors.frame_vectors` gives, since a detector has no last
    layer of a whole frame; without labelled frames the frame nearest the mean is the first pick; frames that cost more
    than the whole budget are not picked; copies of centres and frames without RoIs come last.

    Args:
        feature: ``roi_features``: a frame is the score-weighted mean of its RoIs; ``embedding``: the detector's vector
            of the frame.
    """

    def __init__(self, feature: str = "roi_features") -> None:
        self.feature = checked_feature(feature)
        self.needs = frozenset({feature})

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Gains are distances to the nearest centre when picked,
        scores those to the nearest labelled frame (or to the mean, where no frame is labelled)."""
        if not len(pool):
            return Selection(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        try:
            unknown, present, known = pair_vectors(pool, labelled, self.feature)
        except SelectionError as error:
            raise SelectionError(f"coreset: {error}") from error
        order, scores = np.argsort(pool.ids), np.empty(len(pool))
        costs = budget.costs(pool.n_boxes())[order]
        candidates = within(costs, budget.amount, budget)
        cover, start = Cover(VectorDistances(unknown, known), present), None
        distance = np.sqrt(cover.near)
        if not len(known):
            distance = _from_mean(unknown, present)
            if (candidates & present).any():
                start = int(np.argmin(np.where(candidates & present, distance, np.inf)))
        scores[order] = distance
        taken, gains = take_picks(_picks(cover, candidates, start, distance), costs, budget)
        return Selection(order[taken], gains, scores)


def _picks(
    cover: Cover, candidates: np.ndarray, start: int | None, distance: np.ndarray
) -> Iterator[tuple[int, float]]:
    """``start``, where there is one, and then whichever is farthest."""
    if start is not None:
        yield start, distance[start]
        cover.add(start)
        candidates = candidates & (np.arange(len(candidates)) != start)
    yield from cover.picks(candidates, lambda fresh: int(np.argmax(np.where(fresh, cover.near, -np.inf))))


def _from_mean(vectors: Tensor, present: np.ndarray) -> np.ndarray:
    """(N,) distance of the vectors that are ``present`` to their mean, 0 of the others."""
    if not present.any():
        return np.zeros(len(present))
    mean = vectors[torch.from_numpy(present)].double().mean(0).float()
    return np.where(present, squared_distances(vectors, mean).double().sqrt(), 0.0)
