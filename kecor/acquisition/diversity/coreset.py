"""Coreset: greedy k-centre selection (Sener and Savarese, ICLR 2018)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from kecor.acquisition.base import affordable, empty_selection, take_picks
from kecor.acquisition.diversity.distances import Cover, VectorDistances, squared_distances
from kecor.acquisition.diversity.frame_vectors import checked_feature, pair_vectors
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("coreset")
class Coreset:
    """Select the frame farthest from its nearest centre, repeatedly; labelled frames and picks are the centres.

    Sener and Savarese, "Active learning for convolutional neural networks: a core-set approach", ICLR 2018, algorithm
    1. The largest remaining distance is at most twice the optimum for this number of picks.

    Differences from the paper:

    - The robust variant (algorithm 2, a mixed-integer program that ignores outliers) is not implemented.
    - A frame's vector is that of :func:`~kecor.acquisition.diversity.frame_vectors.frame_vectors`, since a detector has
      no last layer for a whole frame.
    - Without labelled frames the first pick is the frame nearest to the mean.
    - Frames that cost more than the whole budget are not picked. Copies of centres and frames without RoIs come last.

    Args:
        feature: ``roi_features`` for the score-weighted mean over a frame's RoIs, or ``embedding`` for the detector's
            feature vector of the frame.

    Raises:
        ConfigError: ``feature`` is unknown.
    """

    def __init__(self, feature: str = "roi_features") -> None:
        self.feature = checked_feature(feature)
        self.needs = frozenset({feature})

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`.

        The gain of a pick is its distance to the nearest centre when picked; the score of a frame is its distance to
        the nearest labelled frame, or to the mean if no frame is labelled.

        Raises:
            SelectionError: the features are missing, have a wrong shape or are not finite.
        """
        if not len(pool):
            return empty_selection()
        try:
            unknown, present, known = pair_vectors(pool, labelled, self.feature)
        except SelectionError as error:
            raise SelectionError(f"coreset: {error}") from error
        order, scores = np.argsort(pool.ids), np.empty(len(pool))
        costs = budget.costs(pool.n_boxes())[order]
        candidates = affordable(costs, budget)
        cover, start = Cover(VectorDistances(unknown, known), present), None
        distance = np.sqrt(cover.near)
        if not len(known):
            distance = _distance_to_mean(unknown, present)
            if (candidates & present).any():
                start = int(np.argmin(np.where(candidates & present, distance, np.inf)))
        scores[order] = distance
        taken, gains = take_picks(_picks(cover, candidates, start, distance), costs, budget)
        return Selection(order[taken], gains, scores)


def _picks(
    cover: Cover, candidates: np.ndarray, start: int | None, distance: np.ndarray
) -> Iterator[tuple[int, float]]:
    """``start``, if given, then always the farthest candidate."""
    if start is not None:
        yield start, distance[start]
        cover.add(start)
        candidates = candidates & (np.arange(len(candidates)) != start)
    yield from cover.picks(candidates, lambda left: int(np.argmax(np.where(left, cover.near, -np.inf))))


def _distance_to_mean(vectors: Tensor, present: np.ndarray) -> np.ndarray:
    """(N,) distance of the vectors that are ``present`` to their mean; 0 for the others."""
    if not present.any():
        return np.zeros(len(present))
    mean = vectors[torch.from_numpy(present)].double().mean(0).float()
    return np.where(present, squared_distances(vectors, mean).double().sqrt(), 0.0)
