"""Forward and backward greedy search for a design whose Fisher information covers that of a population.

Item i contributes a rank-one matrix ``u_ic u_ic^T`` to each class c. The design of class c is
``M_c = ridge I + sum_i u_ic u_ic^T``, and the objective is ``sum_c tr(M_c^-1 F_c)`` with the mean information F of the
population (Ash et al., NeurIPS 2021, with one block per class). By the Woodbury identity, adding an item
lowers the objective by ``sum_c (u^T M^-1 F M^-1 u) / (1 + u^T M^-1 u)``; removing one raises it by
``sum_c (u^T M^-1 F M^-1 u) / (1 - u^T M^-1 u)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kecor.acquisition.diversity.duplicates import Copies

ROWS = 8192
"""Number of items converted to float64 at once."""
TIE = 1e-9
"""Losses whose relative difference is below this count as equal."""


@dataclass(frozen=True)
class FisherPick:
    """One step of the forward search: the item, how much it lowers the objective, and whether it is a copy."""

    index: int
    gain: float
    copy: bool


class FisherDesign:
    """The designs of K classes, in float64, to which items are added and from which they are removed.

    Args:
        items: (N, K, d) float32, the candidates.
        known: (L, K, d) float32, in the design from the start.
        ridge: weight of the prior relative to the mean eigenvalue of the population: 1 weighs as much as one average
            item.
    """

    def __init__(self, items: np.ndarray, known: np.ndarray, ridge: float) -> None:
        self.items, self.known = items, known
        known_moments = _moments(known)
        population = (_moments(items) + known_moments) / max(1, len(items) + len(known))  # F
        mean = np.trace(population, axis1=1, axis2=2).mean() / items.shape[2]
        self.scale = mean if mean > 0 else 1.0
        self.population = population / self.scale
        self._start = ridge * np.eye(items.shape[2]) + known_moments / self.scale
        self.restart([])
        self._numerators, self._leverages = self._forms(np.arange(len(items)))

    def restart(self, picks: list[FisherPick]) -> None:
        """Compute the design of the known items and ``picks`` from scratch."""
        chosen = self.items[[pick.index for pick in picks]]
        self.inverse = np.linalg.inv(self._start + _moments(chosen) / self.scale)  # M^-1

    def objective(self) -> float:
        """``sum_c tr(M_c^-1 F_c)`` of the current design."""
        return float(np.einsum("kde,ked->", self.inverse, self.population))

    def gains(self) -> np.ndarray:
        """(N,) how much each item would lower the objective, for the design that the forward search has reached."""
        return (self._numerators / (1 + self._leverages)).sum(1)

    def forward(self, candidates: np.ndarray) -> Iterator[FisherPick]:
        """Add the best item repeatedly; the first of equal ones wins, and copies of design items come last.

        An item is added when the next one is requested. Each step takes O(N K d).

        Args:
            candidates: (N,) bool.
        """
        left, copies = candidates.copy(), Copies(_flat(self.items), _flat(self.known))
        while left.any():
            gains = self.gains()
            best = int(np.argmax(np.where(copies.not_copies(left), gains, -np.inf)))
            yield FisherPick(best, float(gains[best]), bool(copies.marked[best]))
            left[best] = False
            copies.mark(_flat(self.items)[best])
            self._add(best)

    def backward(self, picks: list[FisherPick]) -> Iterator[FisherPick]:
        """Remove the least useful of ``picks`` repeatedly: copies first, and the last of equal ones.

        A pick is removed when the next one is requested.
        """
        picks = list(picks)
        while picks:
            numerators, leverages = self._forms(np.array([pick.index for pick in picks]))
            losses, copy = (numerators / (1 - leverages)).sum(1), np.array([pick.copy for pick in picks])
            losses[~copy & copy.any()] = np.inf
            worst = int(np.flatnonzero(losses <= losses.min() * (1 + TIE))[-1])
            yield picks[worst]
            self._change(picks.pop(worst).index, -1.0)

    def _change(self, index: int, sign: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Add (1) or remove (-1) an item. Returns, for the design before, b, a (K, d) and the denominator (K,).

        ``b = M^-1 u``, ``a = M^-1 F b``; Sherman-Morrison: ``(M +- u u^T)^-1 = M^-1 -+ b b^T / (1 +- u^T b)``.
        """
        u = self.items[index].astype(np.float64) / np.sqrt(self.scale)
        b = np.einsum("kde,ke->kd", self.inverse, u)
        a = np.einsum("kde,kef,kf->kd", self.inverse, self.population, b)
        denominator = 1 + sign * (u * b).sum(1)
        self.inverse -= sign * np.einsum("kd,ke->kde", b, b) / denominator[:, None, None]
        return a, b, denominator

    def _add(self, index: int) -> None:
        """Add an item and update the quadratic forms of all items.

        With ``M'^-1 = M^-1 - b b^T / s``: ``x^T M'^-1 x = x^T M^-1 x - (x^T b)^2 / s`` and ``x^T M'^-1 F M'^-1 x =
        x^T M^-1 F M^-1 x + (x^T b) ((x^T b) (b^T F b) / s^2 - 2 (x^T a) / s)``.
        """
        a, b, s = self._change(index, 1.0)
        b_f_b = np.einsum("kd,kde,ke->k", b, self.population, b) / s**2
        for rows, part in _parts(self.items, self.scale):
            x_b, x_a = np.einsum("nkd,kd->nk", part, b), np.einsum("nkd,kd->nk", part, a)
            self._numerators[rows] += x_b * (x_b * b_f_b - 2 * x_a / s)
            self._leverages[rows] -= x_b**2 / s
        np.maximum(self._numerators, 0, out=self._numerators)  # negative only by rounding
        np.maximum(self._leverages, 0, out=self._leverages)

    def _forms(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, K) quadratic forms ``u^T M^-1 F M^-1 u`` and ``u^T M^-1 u`` of the items at ``index``."""
        middle = self.inverse @ self.population @ self.inverse
        numerators, leverages = np.zeros((2, len(index), self.items.shape[1]))
        for rows, part in _parts(self.items[index], self.scale):
            for form, matrix in ((numerators, middle), (leverages, self.inverse)):
                form[rows] = (np.einsum("nkd,kde->nke", part, matrix, optimize=True) * part).sum(2)
        return numerators, leverages


def _flat(items: np.ndarray) -> np.ndarray:
    return items.reshape(len(items), items.shape[1] * items.shape[2])


def _parts(items: np.ndarray, scale: float) -> Iterator[tuple[slice, np.ndarray]]:
    """The items in parts, as float64, divided by ``sqrt(scale)``."""
    for start in range(0, len(items), ROWS):
        rows = slice(start, start + ROWS)
        yield rows, items[rows].astype(np.float64) / np.sqrt(scale)


def _moments(items: np.ndarray) -> np.ndarray:
    """(K, d, d) sum of ``u u^T`` over the items."""
    total = np.zeros((items.shape[1], items.shape[2], items.shape[2]))
    for _, part in _parts(items, 1.0):
        total += np.einsum("nkd,nke->kde", part, part, optimize=True)
    return total
