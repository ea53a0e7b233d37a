"""Choosing rows whose Fisher information best covers that of a whole population: forward and backward greedy search.

Each item brings a rank-one matrix ``u u'`` to each of K classes; the design of class c is ``M_c = ridge I + sum u u'``
over the items in it. What is minimised is ``sum_c tr(M_c^-1 F_c)``, F being the population's mean information. Adding
an item lowers it by ``u' M^-1 F M^-1 u / (1 + u' M^-1 u)``, removing one raises it by the same with a minus (Woodbury).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kecor.acquisition.diversity.duplicates import Copies

ROWS = 8192
"""Items brought to float64 at once."""
TIE = 1e-9
"""Losses that differ by less than this share are the same but for rounding."""


@dataclass(frozen=True)
class FisherPick:
    """One step of the forward search: which item, by how much it lowers the objective, and whether it is a copy."""

    index: int
    gain: float
    copy: bool


class FisherDesign:
    """Designs of K classes, in float64, that items are added to and removed from.

    Args:
        items: (N, K, d) float32, the candidates.
        known: (L, K, d) float32, in the design from the start.
        ridge: weight of the prior, in units of the population's mean eigenvalue: 1 weighs as much as one average item.
    """

    def __init__(self, items: np.ndarray, known: np.ndarray, ridge: float) -> None:
        self.items, self.known = items, known
        inside = _moments(known)
        population = (_moments(items) + inside) / max(1, len(items) + len(known))
        mean = np.trace(population, axis1=1, axis2=2).mean() / items.shape[2]
        self.scale = mean if mean > 0 else 1.0
        self.population = population / self.scale
        self._start = ridge * np.eye(items.shape[2]) + inside / self.scale
        self.restart([])
        self._covers, self._inside = self._forms(np.arange(len(items)))

    def restart(self, picks: list[FisherPick]) -> None:
        """Make it the design of the known items and the ``picks``, computed afresh."""
        chosen = self.items[[pick.index for pick in picks]]
        self.inverse = np.linalg.inv(self._start + _moments(chosen) / self.scale)

    def objective(self) -> float:
        """``sum_c tr(M_c^-1 F_c)`` as it is."""
        return float(np.einsum("kde,ked->", self.inverse, self.population))

    def gains(self) -> np.ndarray:
        """(N,) by how much each item would lower the objective, as far as the forward search has come."""
        return (self._covers / (1 + self._inside)).sum(1)

    def forward(self, candidates: np.ndarray) -> Iterator[FisherPick]:
        """The best item to add, again and again, the first of equals; copies of what is in the design come last.

        An item is added when the next one is asked for. Each takes O(N K d).

        Args:
            candidates: (N,) bool.
        """
        left, copies = candidates.copy(), Copies(_flat(self.items), _flat(self.known))
        while left.any():
            gains = self.gains()
            best = int(np.argmax(np.where(copies.fresh(left), gains, -np.inf)))
            yield FisherPick(best, float(gains[best]), bool(copies.marked[best]))
            left[best] = False
            copies.mark(_flat(self.items)[best])
            self._add(best)

    def backward(self, picks: list[FisherPick]) -> Iterator[FisherPick]:
        """Of the ``picks`` in the design the one whose removal costs least, again and again; copies go first, and of
        equals the last. One is removed when the next is asked for."""
        picks = list(picks)
        while picks:
            covers, inside = self._forms(np.array([pick.index for pick in picks]))
            losses, copy = (covers / (1 - inside)).sum(1), np.array([pick.copy for pick in picks])
            losses[~copy & copy.any()] = np.inf
            worst = int(np.flatnonzero(losses <= losses.min() * (1 + TIE))[-1])
            yield picks[worst]
            self._change(picks.pop(worst).index, -1.0)

    def _change(self, index: int, sign: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Add (1) or remove (-1) an item; ``b = M^-1 u`` and ``a = M^-1 F b`` (K, d) before, and ``1 +- u'b`` (K,)."""
        u = self.items[index].astype(np.float64) / np.sqrt(self.scale)
        b = np.einsum("kde,ke->kd", self.inverse, u)
        a = np.einsum("kde,kef,kf->kd", self.inverse, self.population, b)
        size = 1 + sign * (u * b).sum(1)
        self.inverse -= sign * np.einsum("kd,ke->kde", b, b) / size[:, None, None]
        return a, b, size

    def _add(self, index: int) -> None:
        """Add an item and bring the forms of all items to the new design."""
        a, b, size = self._change(index, 1.0)
        spread = np.einsum("kd,kde,ke->k", b, self.population, b) / size**2
        for rows, part in _parts(self.items, self.scale):
            with_b, with_a = np.einsum("nkd,kd->nk", part, b), np.einsum("nkd,kd->nk", part, a)
            self._covers[rows] += with_b * (with_b * spread - 2 * with_a / size)
            self._inside[rows] -= with_b**2 / size
        np.maximum(self._covers, 0, out=self._covers)
        np.maximum(self._inside, 0, out=self._inside)

    def _forms(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``u' M^-1 F M^-1 u`` and ``u' M^-1 u`` (n, K) of the items at ``index``."""
        middle = self.inverse @ self.population @ self.inverse
        covers, inside = np.zeros((2, len(index), self.items.shape[1]))
        for rows, part in _parts(self.items[index], self.scale):
            for form, matrix in ((covers, middle), (inside, self.inverse)):
                form[rows] = (np.einsum("nkd,kde->nke", part, matrix, optimize=True) * part).sum(2)
        return covers, inside


def _flat(items: np.ndarray) -> np.ndarray:
    return items.reshape(len(items), items.shape[1] * items.shape[2])


def _parts(items: np.ndarray, scale: float) -> Iterator[tuple[slice, np.ndarray]]:
    """The items in parts, in float64, divided by the root of ``scale``."""
    for start in range(0, len(items), ROWS):
        rows = slice(start, start + ROWS)
        yield rows, items[rows].astype(np.float64) / np.sqrt(scale)


def _moments(items: np.ndarray) -> np.ndarray:
    """(K, d, d) sum of the items' outer products."""
    total = np.zeros((items.shape[1], items.shape[2], items.shape[2]))
    for _, part in _parts(items, 1.0):
        total += np.einsum("nkd,nke->kde", part, part, optimize=True)
    return total
