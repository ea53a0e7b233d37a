"""Detection of copies among vectors."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.diversity.distances import TWIN


class Copies:
    """Which of N vectors are copies of vectors marked so far.

    Two vectors are copies if their squared distance is at most :data:`~kecor.acquisition.diversity.distances.TWIN`
    times the larger squared length; zero vectors are copies of each other. Vectors are sorted by length, so marking
    takes O(log N) plus a comparison with the vectors of similar length.

    Args:
        vectors: (N, D).
        known: (L, D) vectors marked from the start.

    Attributes:
        marked: (N,) bool, copies of marked vectors.
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
        squared = np.square(self.vectors[rows] - vector).sum(1)
        self.marked[rows] |= squared <= TWIN * np.square(np.maximum(self._lengths[near], length))

    def not_copies(self, left: np.ndarray) -> np.ndarray:
        """(N,) bool: the vectors among ``left`` that are not marked; all of ``left`` if every one is marked."""
        unmarked = left & ~self.marked
        return unmarked if unmarked.any() else left
