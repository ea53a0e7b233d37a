"""Exact distances between frames, and the distance of each frame to its nearest centre."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

TWIN = 1e-10
"""Two vectors count as copies if their squared distance, relative to the larger squared norm, is at most this."""
ROWS = 256
"""Number of vectors compared at once, so that they stay in the processor's cache."""


class Distances(Protocol):
    """Squared distances of N frames to L known ones and to each other; exactly 0 between copies."""

    def known(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All frames, part by part, with their squared distances (n, L) to the known ones."""
        ...

    def column(self, j: int) -> np.ndarray:
        """(N,) float64 squared distance of every frame to frame ``j``."""
        ...


class VectorDistances:
    """:class:`Distances` between vectors, computed as sums of squared differences.

    The usual ``|a|^2 + |b|^2 - 2 a.b`` loses all digits in float32 for similar vectors far from the origin.

    Args:
        unknown: (N, D) float32.
        known: (L, D) float32.
    """

    def __init__(self, unknown: Tensor, known: Tensor) -> None:
        self.unknown, self.others = unknown, known
        self._norms, self._other_norms = (torch.linalg.vecdot(x, x).double() for x in (unknown, known))

    def known(self) -> Iterator[tuple[slice, np.ndarray]]:
        for start in range(0, len(self.unknown), ROWS):
            part = slice(start, start + ROWS)
            found = torch.cdist(self.unknown[part], self.others, compute_mode="donot_use_mm_for_euclid_dist")
            norms = torch.maximum(self._norms[part, None], self._other_norms)
            yield part, _zero_copies(found.double() ** 2, norms)

    def column(self, j: int) -> np.ndarray:
        found = squared_distances(self.unknown, self.unknown[j]).double()
        return _zero_copies(found, torch.maximum(self._norms, self._norms[j]))


def squared_distances(vectors: Tensor, other: Tensor) -> Tensor:
    """(N,) sum of squared differences between ``vectors`` (N, D) and ``other`` (D,)."""
    result = vectors.new_empty(len(vectors))
    for start in range(0, len(vectors), ROWS):
        difference = vectors[start : start + ROWS] - other
        result[start : start + ROWS] = torch.linalg.vecdot(difference, difference)
    return result


def _zero_copies(squared: Tensor, norms: Tensor) -> np.ndarray:
    return torch.where(squared <= TWIN * norms, 0.0, squared).numpy()


class Cover:
    """The nearest centre of each of N frames. The known frames are the first centres; picks are added.

    Args:
        distances: between the frames, and to the known ones.
        present: (N,) bool; the other frames have no features and count as copies of a centre.

    Attributes:
        near: (N,) float64 squared distance to the nearest centre; infinite without centres.
        owner: (N,) index of that centre, in the order in which centres were added; the first of equal ones.
        n_centres: number of centres.
    """

    def __init__(self, distances: Distances, present: np.ndarray) -> None:
        n = len(present)
        self.distances, self.n_centres = distances, 0
        self.near, self.owner = np.where(present, np.inf, 0.0), np.zeros(n, np.int64)
        for part, squared in distances.known():
            self.n_centres = squared.shape[1]
            if self.n_centres:
                self.owner[part] = squared.argmin(1)
                self.near[part] = np.where(present[part], squared.min(1), 0.0)

    def add(self, j: int) -> None:
        """Make frame ``j`` a centre."""
        squared = self.distances.column(j)
        squared[j] = 0.0
        nearer = squared < self.near
        self.near[nearer], self.owner[nearer] = squared[nearer], self.n_centres
        self.n_centres += 1

    def picks(self, candidates: np.ndarray, choose: Callable[[np.ndarray], int]) -> Iterator[tuple[int, float]]:
        """Candidates one by one, with their distance to the nearest centre when picked; each becomes a centre.

        Copies of centres come last, in their order.

        Args:
            candidates: (N,) bool.
            choose: picks one of the frames (N,) bool that are not copies of a centre.
        """
        left = candidates.copy()
        while left.any():
            not_copies = left & (self.near > 0)
            if not not_copies.any():
                yield from ((int(j), 0.0) for j in np.flatnonzero(left))
                return
            j = choose(not_copies)
            left[j] = False
            yield j, np.sqrt(self.near[j])
            if left.any():
                self.add(j)
