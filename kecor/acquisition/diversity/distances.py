"""Exact distances between frames, and how far they are from what is labelled or picked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

TWIN = 1e-10
"""Squared distance, relative to the greater squared norm, up to which two vectors are the same but for rounding."""
ROWS = 256
"""Vectors compared at once, so that they stay in a processor's cache."""


class Distances(Protocol):
    """Squared distances of N frames to L known ones and to one another; 0 between copies, whatever the rounding."""

    def known(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All frames in parts (n frames), with their squared distances (n, L) to the known ones."""
        ...

    def column(self, j: int) -> np.ndarray:
        """(N,) float64 squared distance of every frame to frame ``j``."""
        ...


class VectorDistances:
    """:class:`Distances` between vectors: the sum of squared differences, so that near ones do not cancel.

    The usual ``|a|^2 + |b|^2 - 2 a b`` of near vectors far from the origin is rounding alone in single precision.

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
            yield part, _without_rounding(found.double() ** 2, norms)

    def column(self, j: int) -> np.ndarray:
        found = squared_distances(self.unknown, self.unknown[j]).double()
        return _without_rounding(found, torch.maximum(self._norms, self._norms[j]))


def squared_distances(vectors: Tensor, other: Tensor) -> Tensor:
    """(N,) sum of squared differences of ``vectors`` (N, D) and one ``other`` (D,)."""
    result = vectors.new_empty(len(vectors))
    for start in range(0, len(vectors), ROWS):
        apart = vectors[start : start + ROWS] - other
        result[start : start + ROWS] = torch.linalg.vecdot(apart, apart)
    return result


def _without_rounding(squared: Tensor, norms: Tensor) -> np.ndarray:
    return torch.where(squared <= TWIN * norms, 0.0, squared).numpy()


class Cover:
    """N frames and, of each, the nearest centre: a known frame or, later on, a pick.

    Args:
        distances: between the frames, and to the known ones, the first centres.
        present: (N,) bool: the others have nothing to be compared by, and count as copies of a centre.

    Attributes:
        near: (N,) float64 squared distance to the nearest centre; infinite while there is none.
        owner: (N,) which centre that is, counted in the order in which they came; the first of equals.
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

    def picks(self, candidates: np.ndarray, prefer: Callable[[np.ndarray], int]) -> Iterator[tuple[int, float]]:
        """Candidates one after the other with their distance to the nearest centre, each becoming a centre in turn.

        Copies of a centre come last, the first first.

        Args:
            candidates: (N,) bool.
            prefer: the one to take of those (N,) bool that are no copies.
        """
        left = candidates.copy()
        while left.any():
            fresh = left & (self.near > 0)
            if not fresh.any():
                yield from ((int(j), 0.0) for j in np.flatnonzero(left))
                return
            j = prefer(fresh)
            left[j] = False
            yield j, np.sqrt(self.near[j])
            if left.any():
                self.add(j)
