"""The kernel that a greedy search reads: between candidates and a growing conditioning set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

TWIN_DISTANCE = 1e-6
"""Two items count as copies if their squared kernel distance, relative to the larger squared norm, is at most this."""


class CandidateKernel(Protocol):
    """A kernel between N candidates and a conditioning set: L known items, then the picks in order.

    Attributes:
        known: (L, L) kernel between the known items.
    """

    known: np.ndarray

    def __len__(self) -> int:
        """N."""
        ...

    def scan(self) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """All candidates, block by block: positions (n,), diagonal (n,) and kernel with the known items (n, L)."""
        ...

    def cross(self, positions: np.ndarray, skip: int) -> np.ndarray:
        """(n, m) kernel of candidates, at most a block of them, with the conditioning set except its first ``skip``."""
        ...

    def condition_on(self, position: int) -> None:
        """Append a candidate to the conditioning set."""
        ...


class GramMatrix:
    """A :class:`CandidateKernel` given by matrices.

    Args:
        gram: (N, N) kernel between the candidates.
        cross: (N, L) with the known items; none by default.
        known: (L, L) between the known items.
    """

    def __init__(self, gram: np.ndarray, cross: np.ndarray | None = None, known: np.ndarray | None = None) -> None:
        self.gram = np.asarray(gram, np.float64)
        self.cross_known = np.zeros((len(gram), 0)) if cross is None else np.asarray(cross, np.float64)
        self.known = np.zeros((0, 0)) if known is None else np.asarray(known, np.float64)
        self._picked: list[int] = []

    def __len__(self) -> int:
        return len(self.gram)

    def scan(self) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        return [(np.arange(len(self)), np.diag(self.gram), self.cross_known)]

    def cross(self, positions: np.ndarray, skip: int) -> np.ndarray:
        picked = self.gram[np.ix_(positions, np.array(self._picked, np.int64))]
        return np.concatenate([self.cross_known[positions], picked], 1)[:, skip:]

    def condition_on(self, position: int) -> None:
        self._picked.append(position)
