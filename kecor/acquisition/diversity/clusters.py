"""Picking typical members of clusters, the largest uncovered cluster first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from kecor.acquisition.diversity.distances import TWIN

PAIRS = 1 << 22
"""Number of pairs of cluster members compared at once."""


class Clusters:
    """Clustered frames, some of them labelled.

    Args:
        vectors: (n, D) of all frames, the labelled ones first.
        cluster: (n,) cluster of each frame.
        n_known: number of labelled frames.
        candidates: (n - n_known,) bool, the unlabelled frames that may be picked.
        neighbours: number of nearest neighbours that define typicality.
    """

    def __init__(
        self, vectors: Tensor, cluster: np.ndarray, n_known: int, candidates: np.ndarray, neighbours: int
    ) -> None:
        self.vectors, self.cluster, self.n_known, self.neighbours = vectors, cluster, n_known, neighbours
        self.candidates = np.concatenate([np.zeros(n_known, bool), candidates])

    def picks(self, small: int) -> Iterator[tuple[int, float]]:
        """Candidates, as positions among the unlabelled frames, with their typicality; copies last, with 0.

        Clusters of at most ``small`` frames come last; among the others, those with the fewest labelled and picked
        frames come first, then the largest.
        """
        sizes = np.bincount(self.cluster)
        covered = np.bincount(self.cluster[: self.n_known], minlength=len(sizes))
        has_candidates = np.bincount(self.cluster[self.candidates], minlength=len(sizes)) > 0
        queues: dict[int, list[tuple[int, float]]] = {}
        copies: list[int] = []
        while has_candidates.any():
            left = np.flatnonzero(has_candidates)
            best = left[np.lexsort((-sizes[left], covered[left], sizes[left] <= small))[0]]
            if best not in queues:
                queues[best], found = self._ranked(best)
                copies += found
            if queues[best]:
                member, typicality = queues[best].pop(0)
                yield member - self.n_known, typicality
                covered[best] += 1
            has_candidates[best] = bool(queues[best])
        yield from ((member - self.n_known, 0.0) for member in sorted(copies))

    def _ranked(self, number: int) -> tuple[list[tuple[int, float]], list[int]]:
        """The candidates of a cluster with their typicality, most typical first; and its copies.

        Copies are candidates equal to a labelled frame or to a more typical candidate.
        """
        members = np.flatnonzero(self.cluster == number)
        mean, original = _neighbourhoods(self.vectors[members], self.neighbours)
        seen, ranked, copies = set(original[members < self.n_known].tolist()), [], []
        for i in np.argsort(mean, kind="stable"):
            if self.candidates[members[i]] and original[i] in seen:
                copies.append(int(members[i]))
            elif self.candidates[members[i]]:
                ranked.append((int(members[i]), 1 / max(mean[i], np.finfo(np.float32).eps)))
                seen.add(int(original[i]))
        return ranked, copies


def _neighbourhoods(vectors: Tensor, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) mean distance of each vector to its nearest ``neighbours``, and (n,) the first vector that it equals.

    The mean distance of a single vector is infinite.
    """
    norms, count = torch.linalg.vecdot(vectors, vectors).double(), min(neighbours, len(vectors) - 1)
    x = vectors.double()
    x = x - x.mean(0)
    squares = torch.linalg.vecdot(x, x)
    mean, original = np.full(len(x), np.inf), np.arange(len(x))
    for rows in torch.arange(len(x)).split(max(1, PAIRS // len(x))) if count else ():
        squared = (squares[rows, None] + squares - 2 * x[rows] @ x.T).clamp_(min=0)
        squared[rows - rows[0], rows] = 0.0
        same = squared <= TWIN * torch.maximum(norms[rows, None], norms)
        squared.masked_fill_(same, 0.0)
        original[rows] = same.int().argmax(1).numpy()
        squared[rows - rows[0], rows] = torch.inf
        mean[rows] = squared.topk(count, largest=False).values.sqrt().mean(1).numpy()
    return mean, original
