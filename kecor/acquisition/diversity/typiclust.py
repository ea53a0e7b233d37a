"""TypiClust: typical frames of clusters without a label (Hacohen et al., ICML 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch

from kecor.acquisition.arguments import check_count
from kecor.acquisition.base import affordable, take_picks
from kecor.acquisition.diversity.clusters import Clusters
from kecor.acquisition.diversity.frame_vectors import checked_feature, pair_vectors
from kecor.acquisition.diversity.kmeans import kmeans
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("typiclust")
class TypiClust:
    """Select the most typical frame of the largest cluster without a labelled or picked frame, repeatedly.

    Hacohen, Dekel and Weinshall, "Active learning on a budget: opposite strategies suit high and low budgets", ICML
    2022, algorithm 1. All frames are clustered by k-means, with one cluster per labelled frame and per frame to pick.
    Typicality is the inverse of the mean distance to the nearest neighbours.

    As in the authors' code, neighbours are searched within the cluster, there are at most 500 clusters, and clusters of
    at most five frames come last (the code drops them). If every cluster is covered, those with the fewest labelled and
    picked frames come first (the code repeats its initial order).

    Further differences from the paper:

    - Features are the detector's, not self-supervised ones.
    - k-means runs once, and on a random sample if there are many frames.
    - A frame has up to 20 neighbours however small its cluster is; covered frames count as neighbours. The code takes
      half of a small cluster, and squared distances.
    - If boxes cost money, the number of frames to pick is estimated from the mean cost.
    - Frames that cost more than the whole budget are not picked. Copies of labelled or picked frames come last, and
      frames without RoIs after them.

    Args:
        feature: ``roi_features`` for the score-weighted mean over a frame's RoIs, or ``embedding`` for the detector's
            feature vector of the frame.
        max_clusters: maximum number of clusters.
        small: clusters of at most this many frames come last.
        neighbours: number of nearest neighbours that define typicality.

    Raises:
        ConfigError: an argument is out of range.
    """

    terms: ClassVar = {"clusters": ("Clusters", "number of k-means clusters of pool and labelled frames together")}

    def __init__(
        self, feature: str = "roi_features", max_clusters: int = 500, small: int = 5, neighbours: int = 20
    ) -> None:
        self.feature = checked_feature(feature)
        self.needs = frozenset({feature})
        check_count("max_clusters", max_clusters)
        check_count("small", small, least=0)
        check_count("neighbours", neighbours)
        self.max_clusters, self.small, self.neighbours = max_clusters, small, neighbours

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. The gain of a pick is its typicality, 0 without neighbours.

        Raises:
            SelectionError: the features are missing, have a wrong shape or are not finite.
        """
        if not len(pool):
            return Selection(np.zeros(0, np.int64), np.zeros(0))
        try:
            unknown, present, known = pair_vectors(pool, labelled, self.feature)
        except SelectionError as error:
            raise SelectionError(f"typiclust: {error}") from error
        order = np.argsort(pool.ids)
        costs = budget.costs(pool.n_boxes())[order]
        candidates = affordable(costs, budget)
        rows = np.flatnonzero(present)
        vectors = torch.cat([known, unknown[rows]])
        n_clusters = min(len(labelled) + _number_of_picks(costs[candidates], budget), self.max_clusters)
        cluster = kmeans(vectors, n_clusters, rng) if len(vectors) else np.zeros(0, np.int64)
        clusters = Clusters(vectors, cluster, len(known), candidates[rows], self.neighbours)

        def picks() -> Iterator[tuple[int, float]]:
            yield from ((int(rows[i]), gain) for i, gain in clusters.picks(self.small))
            yield from ((int(i), 0.0) for i in np.flatnonzero(candidates & ~present))

        taken, gains = take_picks(picks(), costs, budget)
        return Selection(order[taken], gains, info={"clusters": len(np.unique(cluster))})


def _number_of_picks(costs: np.ndarray, budget: Budget) -> int:
    """How many frames the budget allows at the mean of ``costs``, at least one."""
    return max(1, min(len(costs), round(budget.amount / costs.mean()))) if len(costs) else 1
