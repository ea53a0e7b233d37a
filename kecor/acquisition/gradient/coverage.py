"""A submodular measure of how well a set of vectors covers others, and its lazy greedy maximisation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit

from kecor.acquisition.diversity.duplicates import Copies

ROWS = 1024
"""Number of vectors normalised at once."""
BATCH = 64
"""Number of leading candidates evaluated at once; doubled until one of them leads."""
TINY = np.finfo(np.float32).tiny
"""Avoids division by zero."""


class Coverage:
    """The feature-based function ``f(S) = sum_j sqrt(m_j(S))``, where ``m_j(S)`` is the sum of feature j over S.

    It is monotone and submodular (Kirchhoff and Bilmes, "Submodularity for data selection in machine translation",
    EMNLP 2014): features that are already well covered gain little from more of them. The positive and the negative
    parts of a gradient are separate features, so that opposite gradients do not cover each other. Vectors are scaled to
    an L1 norm of 1.

    Args:
        vectors: (N, D) float32, scaled in place.
        known: (L, D) float32, scaled in place; covered from the start.

    Attributes:
        gains: (N,) float64 gain of each vector when last evaluated: an upper bound of the current one.
    """

    def __init__(self, vectors: np.ndarray, known: np.ndarray) -> None:
        for rows in (vectors, known):
            for start in range(0, len(rows), ROWS):
                part = rows[start : start + ROWS]
                part /= np.maximum(np.abs(part).sum(1, keepdims=True), TINY)
        self.vectors, self.known = vectors, known
        self.mass = np.zeros((2, vectors.shape[1]))  # m_j of the positive and of the negative parts
        for vector in known:
            self._add(vector)
        self.gains = self._evaluate(np.arange(len(vectors)))

    def picks(self, candidates: np.ndarray) -> Iterator[tuple[int, float]]:
        """Rows in greedy order with their gains; the first of equal ones wins, copies of covered rows come last.

        Gains only decrease as more is covered, so earlier gains are upper bounds and only candidates that lead are
        evaluated again (Minoux, 1978). The order is that of the plain greedy search.

        Args:
            candidates: (N,) bool.
        """
        left, copies = candidates.copy(), Copies(self.vectors, self.known)
        is_current = np.ones(len(left), bool)
        while left.any():
            best = self._best(copies.not_copies(left), is_current)
            yield best, float(self.gains[best])
            left[best] = False
            copies.mark(self.vectors[best])
            self._add(self.vectors[best])
            is_current[:] = False

    def _best(self, candidates: np.ndarray, is_current: np.ndarray) -> int:
        """The candidate with the largest gain; bounds that lead are made exact."""
        size = BATCH
        while True:
            bounds = np.where(candidates, self.gains, -np.inf)
            best = int(np.argmax(bounds))
            if is_current[best]:
                return best
            top = np.argpartition(-bounds, min(size, len(bounds)) - 1)[:size]
            stale = np.union1d(best, top[candidates[top] & ~is_current[top]])
            self.gains[stale], is_current[stale] = self._evaluate(stale), True
            size *= 2

    def _add(self, vector: np.ndarray) -> None:
        self.mass += np.stack([vector, -vector]).clip(0)

    def _evaluate(self, index: np.ndarray) -> np.ndarray:
        """(n,) current gains of the rows at ``index``."""
        result = np.empty(len(index))
        _gains(self.vectors, index, self.mass.astype(np.float32), np.sqrt(self.mass).astype(np.float32), result)
        return result


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _gains(vectors, index, mass, root, out):
    """``sum_j sqrt(m_j + x_j) - sqrt(m_j)``, as ``x / (sqrt(m + x) + sqrt(m))`` to avoid cancellation."""
    for i in range(len(index)):
        row, total = vectors[index[i]], np.float32(0)
        for j in range(len(row)):
            x, side = abs(row[j]), 0 if row[j] > 0 else 1
            total += x / (np.sqrt(mass[side, j] + x) + root[side, j] + TINY)
        out[i] = total
