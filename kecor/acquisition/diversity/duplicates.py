"""Frames that say the same as others: found by their length first, then by their distance."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.diversity.distances import TWIN


class Copies:
    """Which of N vectors are copies of those marked so far.

    Two are copies where their squared distance is at most
    :data:`~kecor.acquisition.diversity.distances.TWIN` of the larger squared length; zero vectors are copies of each
    other. Marking costs O(log N) and a comparison with the vectors of the same length.
    """

    def __init__(self, vectors: np.ndarray, known: np.ndarray | None = None) -> None:
        self.vectors, self.marked = vectors, np.zeros(len(vectors), bool)
        lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
        self._order = np.argsort(lengths, kind="stable")
        self._lengths = lengths[self._order]
        for vector in () if known is None else known:
            self.mark(vector)

    def mark(self, vector: np.ndarray) -> None:
        """Mark the copies of ``vector`` (D,), which may be one of the N itself."""
        vector = vector.astype(np.float64)
        length, ratio = np.sqrt(vector @ vector), 1 - np.sqrt(2 * TWIN)
        start = np.searchsorted(self._lengths, length * ratio)
        near = slice(start, np.searchsorted(self._lengths, length / ratio, side="right"))
        rows = self._order[near]
        apart = np.square(self.vectors[rows] - vector).sum(1)
        self.marked[rows] |= apart <= TWIN * np.square(np.maximum(self._lengths[near], length))

    def fresh(self, left: np.ndarray) -> np.ndarray:
        """(N,) bool: of those ``left``, the ones that are no copies; all of them where only copies are left."""
        fresh = left & ~self.marked
        return fresh if fresh.any() else left
