"""Coding rate of a set of vectors and its greedy maximisation. Knows nothing of frames or detectors.

The rate ``R_eps(S) = 1/2 log det(I + d / (n eps^2) K_S)`` counts the nats needed to encode n vectors of d dimensions up
to an error eps (Ma, Derksen, Hong and Wright, "Segmentation of multivariate mixed data via lossy data coding and
compression", PAMI 2007); with the Gram matrix K_S in place of the covariance by Sylvester's identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from kecor.errors import SelectionError

TWIN_DISTANCE = 1e-6
"""Squared kernel distance, relative to the squared norm, below which two items count as the same."""


def coding_rate(gram: np.ndarray, eps: float, dim: int) -> float:
    """The rate in nats of n vectors of ``dim`` dimensions from their (n, n) Gram matrix; 0 for none."""
    n = len(gram)
    if n == 0:
        return 0.0
    scaled = np.asarray(gram, np.float64) * (dim / (n * eps**2))
    return 0.5 * float(np.linalg.slogdet(np.eye(n) + scaled)[1])


def feature_coding_rate(features: np.ndarray, eps: float) -> float:
    """The rate in nats of the rows of ``features`` (n, d), by whichever of the two Gram matrices is smaller."""
    features = np.asarray(features, np.float64)
    n, dim = features.shape
    if n == 0 or dim == 0:
        return 0.0
    small = features @ features.T if n <= dim else features.T @ features
    scaled = small * (dim / (n * eps**2))
    return 0.5 * float(np.linalg.slogdet(np.eye(len(small)) + scaled)[1])


class Pick(NamedTuple):
    """One step of the greedy search: which item, its whole gain, and the coding-rate part of it."""

    index: int
    gain: float
    rate_gain: float


class GreedyCodingRate:
    """Greedy maximisation of ``1/2 log det(I + (K + diag(inner)) / sigma^2) + sum(bonus)`` over subsets of N items.

    An incremental Cholesky factorisation pivoted by the objective, in float64: ``variance[i]`` is the posterior
    variance of item i given everything observed so far under noise sigma^2, and i's gain is
    ``1/2 log(1 + variance[i] / sigma^2)``, with ``inner`` added inside the logarithm and ``bonus`` outside it. The
    gains of the picks sum to the objective. A kernel column is asked for only once its item is picked: beside the
    kernel's own, memory is O(N (L + k)) and time O(N (L + k)^2).

    Under noise even an exact copy of a picked item keeps a gain of up to ``log(2) / 2``; a copy buys nothing, so it is
    put off until no other candidate is left.

    Args:
        diagonal: (N,) the kernel's diagonal.
        column: j -> (N,) the kernel's column j.
        sigma: standard deviation of the noise, above zero.
        bonus: (N,) added to each item's gain.
        inner: (N,) not negative, added to the kernel's diagonal inside the determinant.

    Attributes:
        variance: (N,) float64 posterior variance given the conditioned and the observed items.
    """

    def __init__(
        self,
        diagonal: np.ndarray,
        column: Callable[[int], np.ndarray],
        sigma: float,
        bonus: np.ndarray | None = None,
        inner: np.ndarray | None = None,
    ) -> None:
        self.diagonal = np.asarray(diagonal, np.float64)
        self.column = column
        self.noise = float(sigma) ** 2
        self.bonus = np.zeros(len(self.diagonal)) if bonus is None else np.asarray(bonus, np.float64)
        self.inner = np.zeros(len(self.diagonal)) if inner is None else np.asarray(inner, np.float64)
        self.variance = self.diagonal.copy()
        self._twin = np.zeros(len(self.diagonal), bool)
        self._factor = np.empty((16, len(self.diagonal)))
        self._rows = 0

    def condition(self, cross: np.ndarray, gram: np.ndarray) -> None:
        """Condition on L items outside the N: ``cross`` (N, L) between both, ``gram`` (L, L) among the L.

        To be called before the first pick.

        Raises:
            SelectionError: ``gram + sigma^2 I`` is not positive definite in float64.
        """
        gram = np.asarray(gram, np.float64)
        try:
            root = cholesky((gram + gram.T) / 2 + self.noise * np.eye(len(gram)), lower=True)
        except (LinAlgError, ValueError) as error:
            raise SelectionError(
                f"the kernel of the labelled items cannot be factorised ({error}); raise sigma"
            ) from error
        self._factor = solve_triangular(root, np.asarray(cross, np.float64).T, lower=True)
        self._rows = len(gram)
        self.variance = np.maximum(self.diagonal - np.square(self._factor).sum(0), 0.0)
        for j, norm in enumerate(np.diag(gram)):
            self._mark_twins(cross[:, j], norm)

    def rate_gains(self) -> np.ndarray:
        """(N,) coding-rate part of each item's gain, in nats."""
        return 0.5 * np.log1p(self.variance / self.noise)

    def gains(self) -> np.ndarray:
        """(N,) whole gain of each item."""
        return 0.5 * np.log1p((self.variance + self.inner) / self.noise) + self.bonus

    def picks(self, candidates: np.ndarray | None = None) -> Iterator[Pick]:
        """The picks in greedy order, among the ``candidates`` (N,) bool (default all); of equals the first is taken.

        A pick is observed (its column computed, its information spent) when the next one is asked for.
        """
        left = np.ones(len(self.diagonal), bool) if candidates is None else np.array(candidates, bool)
        while left.any():
            gains = self.gains()
            fresh = left & ~self._twin
            best = int(np.argmax(np.where(fresh if fresh.any() else left, gains, -np.inf)))
            yield Pick(best, float(gains[best]), float(self.rate_gains()[best]))
            left[best] = False
            if left.any():
                self._observe(best)

    def _observe(self, j: int) -> None:
        column = np.asarray(self.column(j), np.float64)
        done = self._factor[: self._rows]
        row = (column - done[:, j] @ done) / np.sqrt(self.variance[j] + self.inner[j] + self.noise)
        if self._rows == len(self._factor):
            self._factor = np.concatenate([self._factor, np.empty((max(16, self._rows), len(column)))])
        self._factor[self._rows] = row
        self._rows += 1
        self.variance = np.maximum(self.variance - np.square(row), 0.0)
        self._mark_twins(column, self.diagonal[j])

    def _mark_twins(self, column: np.ndarray, norm: float) -> None:
        distance = self.diagonal + norm - 2 * column
        self._twin |= distance <= TWIN_DISTANCE * np.maximum(self.diagonal, norm)
