"""The most typical frame of each cluster that has no labelled one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kecor.acquisition.base import check_argument, take_picks, within
from kecor.acquisition.diversity.distances import TWIN
from kecor.acquisition.diversity.frame_vectors import checked_feature, pair_vectors
from kecor.acquisition.diversity.kmeans import kmeans
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection

PAIRS = 1 << 22
"""Pairs of members of a cluster that are compared at once."""


@ACQUISITIONS.register_module("typiclust")
class TypiClust:
    """Typical frames of clusters that are not covered yet (Hacohen, Dekel and Weinshall, "Active learning on a budget:
    opposite strategies suit high and low budgets", ICML 2022, algorithm 1). All frames, labelled and not, are put in as
    many k-means clusters as frames are labelled plus frames to pick; each pick is the most typical frame of the largest
    cluster without a labelled or picked one. Typicality is the inverse of the mean distance to the nearest neighbours.

    As in the paper's released code neighbours are sought within the cluster, clusters are at most 500, and those of
    five frames or fewer are left to the end (the code drops them); where no cluster is uncovered, those with fewest
    labelled and picked frames come first (the code goes round by its first order). Deviations: k-means has one start;
    the features are the detector's, not self-supervised ones; distances are not squared (the code's
    are, the paper's are not); covered frames count as neighbours; a frame has up to 20 neighbours however small its
    cluster is (the code takes half of a small one); of many frames the clusters are sought in a random sample; with
    a price on boxes, the number of frames to pick is what the budget buys at the mean price; frames that cost more than
    the whole budget are not picked; copies of labelled or picked frames come last, and frames without RoIs behind them.

    Args:
        feature: ``roi_features``: a frame is the score-weighted mean of its RoIs; ``embedding``: the detector's vector
            of the frame.
        max_clusters: no more clusters than this.
        small: clusters of no more frames than this are left to the end.
        neighbours: nearest neighbours that typicality goes by.
    """

    terms: ClassVar = {"clusters": ("Clusters", "groups that the pool and the labelled frames were divided into")}

    def __init__(
        self, feature: str = "roi_features", max_clusters: int = 500, small: int = 5, neighbours: int = 20
    ) -> None:
        self.feature = checked_feature(feature)
        self.needs = frozenset({feature})
        for key, value, least in (
            ("max_clusters", max_clusters, 1),
            ("small", small, 0),
            ("neighbours", neighbours, 1),
        ):
            fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
            check_argument(key, value, fits, f"a whole number from {least}")
        self.max_clusters, self.small, self.neighbours = max_clusters, small, neighbours

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Gains are typicalities, 0 of what has no neighbours."""
        if not len(pool):
            return Selection(np.zeros(0, np.int64), np.zeros(0))
        try:
            unknown, present, known = pair_vectors(pool, labelled, self.feature)
        except SelectionError as error:
            raise SelectionError(f"typiclust: {error}") from error
        order = np.argsort(pool.ids)
        costs = budget.costs(pool.n_boxes())[order]
        candidates = within(costs, budget.amount, budget)
        rows = np.flatnonzero(present)
        vectors = torch.cat([known, unknown[rows]])
        n_clusters = min(len(labelled) + _number_of_picks(costs[candidates], budget), self.max_clusters)
        cluster = kmeans(vectors, n_clusters, rng) if len(vectors) else np.zeros(0, np.int64)
        clusters = _Clusters(vectors, cluster, len(known), candidates[rows], self.neighbours)

        def picks() -> Iterator[tuple[int, float]]:
            yield from ((int(rows[i]), gain) for i, gain in clusters.picks(self.small))
            yield from ((int(i), 0.0) for i in np.flatnonzero(candidates & ~present))

        taken, gains = take_picks(picks(), costs, budget)
        return Selection(order[taken], gains, info={"clusters": len(np.unique(cluster))})


def _number_of_picks(costs: np.ndarray, budget: Budget) -> int:
    """How many frames of these costs the budget buys at their mean cost, at least one."""
    return max(1, min(len(costs), round(budget.amount / costs.mean()))) if len(costs) else 1


class _Clusters:
    """Frames in clusters, the first ``n_known`` of them labelled, of the others the ``candidates`` to pick from."""

    def __init__(
        self, vectors: Tensor, cluster: np.ndarray, n_known: int, candidates: np.ndarray, neighbours: int
    ) -> None:
        self.vectors, self.cluster, self.n_known, self.neighbours = vectors, cluster, n_known, neighbours
        self.candidates = np.concatenate([np.zeros(n_known, bool), candidates])

    def picks(self, small: int) -> Iterator[tuple[int, float]]:
        """Candidates, counted without the labelled frames, and their typicality; copies last, with 0."""
        sizes = np.bincount(self.cluster)
        covered = np.bincount(self.cluster[: self.n_known], minlength=len(sizes))
        unfinished = np.bincount(self.cluster[self.candidates], minlength=len(sizes)) > 0
        queues: dict[int, list[tuple[int, float]]] = {}
        copies: list[int] = []
        while unfinished.any():
            left = np.flatnonzero(unfinished)
            best = left[np.lexsort((-sizes[left], covered[left], sizes[left] <= small))[0]]
            if best not in queues:
                queues[best], put_off = self._ranked(best)
                copies += put_off
            if queues[best]:
                member, typicality = queues[best].pop(0)
                yield member - self.n_known, typicality
                covered[best] += 1
            unfinished[best] = bool(queues[best])
        yield from ((member - self.n_known, 0.0) for member in sorted(copies))

    def _ranked(self, number: int) -> tuple[list[tuple[int, float]], list[int]]:
        """The candidates of a cluster, most typical first, with their typicality; and those that are copies of a
        labelled frame or of one before."""
        members = np.flatnonzero(self.cluster == number)
        mean, first = _neighbourhoods(self.vectors[members], self.neighbours)
        seen, ranked, copies = set(first[members < self.n_known].tolist()), [], []
        for i in np.argsort(mean, kind="stable"):
            if self.candidates[members[i]] and first[i] in seen:
                copies.append(int(members[i]))
            elif self.candidates[members[i]]:
                ranked.append((int(members[i]), 1 / max(mean[i], np.finfo(np.float32).eps)))
                seen.add(int(first[i]))
        return ranked, copies


def _neighbourhoods(vectors: Tensor, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) mean distance of each vector to its nearest ``neighbours`` (infinite for one vector alone), and (n,) the
    first vector that it is the same as."""
    norms, count = torch.linalg.vecdot(vectors, vectors).double(), min(neighbours, len(vectors) - 1)
    x = vectors.double()
    x = x - x.mean(0)
    squares = torch.linalg.vecdot(x, x)
    mean, first = np.full(len(x), np.inf), np.arange(len(x))
    for rows in torch.arange(len(x)).split(max(1, PAIRS // len(x))) if count else ():
        squared = (squares[rows, None] + squares - 2 * x[rows] @ x.T).clamp_(min=0)
        squared[rows - rows[0], rows] = 0.0
        same = squared <= TWIN * torch.maximum(norms[rows, None], norms)
        squared.masked_fill_(same, 0.0)
        first[rows] = same.int().argmax(1).numpy()
        squared[rows - rows[0], rows] = torch.inf
        mean[rows] = squared.topk(count, largest=False).values.sqrt().mean(1).numpy()
    return mean, first
