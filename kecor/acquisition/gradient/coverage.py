"""A submodular measure of how much gradients cover, and its lazy greedy maximisation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit

from kecor.acquisition.diversity.duplicates import Copies

ROWS = 1024
"""Vectors brought to one sum at once."""
FEWEST = 64
"""Leading candidates computed anew at once; twice as many each time that none of them leads."""
TINY = np.finfo(np.float32).tiny
"""Keeps what is nothing divided by nothing at nothing."""


class Coverage:
    """The feature-based function ``f(S) = sum_j sqrt(m_j(S))``, m_j(S) being the sum over S of feature j.

    It is monotone and submodular (Kirchhoff and Bilmes, "Submodularity for data selection in machine translation",
    EMNLP 2014): what is covered often already gains little from more of it. The features of a gradient are the sizes of
    its positive and of its negative entries, apart, so that opposite gradients do not cover each other; their sum is
    brought to 1.

    Args:
        vectors: (N, D) float32, brought to that sum in place.
        known: (L, D) float32, likewise, covered from the start.
    """

    def __init__(self, vectors: np.ndarray, known: np.ndarray) -> None:
        for rows in (vectors, known):
            for start in range(0, len(rows), ROWS):
                part = rows[start : start + ROWS]
                part /= np.maximum(np.abs(part).sum(1, keepdims=True), TINY)
        self.vectors, self.known = vectors, known
        self.mass = np.zeros((2, vectors.shape[1]))
        for vector in known:
            self._add(vector)
        self.gains = self._gains(np.arange(len(vectors)))

    def picks(self, candidates: np.ndarray) -> Iterator[tuple[int, float]]:
        """Rows in greedy order with their gains, the first of equals; copies of what is covered come last.

        Gains only fall as more is covered, so that those computed before bound them and only leaders are computed anew
        (Minoux, 1978): the order is that of the plain search.

        Args:
            candidates: (N,) bool.
        """
        left, copies = candidates.copy(), Copies(self.vectors, self.known)
        current = np.ones(len(left), bool)
        while left.any():
            fresh, size = copies.fresh(left), FEWEST
            while True:
                bounds = np.where(fresh, self.gains, -np.inf)
                best = int(np.argmax(bounds))
                if current[best]:
                    break
                top = np.argpartition(-bounds, min(size, len(bounds)) - 1)[:size]
                stale = np.union1d(best, top[fresh[top] & ~current[top]])
                self.gains[stale], current[stale] = self._gains(stale), True
                size *= 2
            yield best, float(self.gains[best])
            left[best] = False
            copies.mark(self.vectors[best])
            self._add(self.vectors[best])
            current[:] = False

    def _add(self, vector: np.ndarray) -> None:
        self.mass += np.stack([vector, -vector]).clip(0)

    def _gains(self, index: np.ndarray) -> np.ndarray:
        """(n,) by how much each of the rows at ``index`` would raise the function."""
        result = np.empty(len(index))
        _rises(self.vectors, index, self.mass.astype(np.float32), np.sqrt(self.mass).astype(np.float32), result)
        return result


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _rises(vectors, index, mass, root, out):
    """``sqrt(m + x) - sqrt(m)`` summed, as ``x / (sqrt(m + x) + sqrt(m))``, which does not cancel."""
    for i in range(len(index)):
        row, total = vectors[index[i]], np.float32(0)
        for j in range(len(row)):
            x, side = abs(row[j]), 0 if row[j] > 0 else 1
            total += x / (np.sqrt(mass[side, j] + x) + root[side, j] + TINY)
        out[i] = total
