"""Lazy greedy maximisation of the coding rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from kecor.coding_rate.candidates import TWIN_DISTANCE, CandidateKernel
from kecor.errors import SelectionError
from kecor.progress import progress_bar

FIRST_BATCH, BATCH = 128, 8
"""Number of leading candidates evaluated at once before the second pick, and later on; doubled until one of them
leads."""


@dataclass(frozen=True)
class Pick:
    """One step of the greedy search: the item, its gain, and the coding-rate part of the gain."""

    index: int
    gain: float
    rate_gain: float


class GreedyCodingRate:
    """Greedy maximisation of ``1/2 log det(I + (K + diag(inner)) / sigma^2) + sum(bonus)`` over sets of candidates.

    K is the kernel of the candidates conditioned on the known items. With R the Cholesky factor of the conditioning
    set's kernel plus noise, ``r_i = R^-1 k_i`` and ``v_i = k(i, i) - |r_i|^2``, the posterior variance (Rasmussen and
    Williams, "Gaussian processes for machine learning", 2006, algorithm 2.1). By the chain rule of log-determinants,
    adding candidate i increases the objective by ``1/2 log(1 + (v_i + inner_i) / sigma^2) + bonus_i``.

    The objective is submodular: gains only decrease as items are added. A gain computed earlier is therefore an upper
    bound, and only candidates whose bound leads are evaluated again (Minoux, "Accelerated greedy algorithms for
    maximizing submodular set functions", 1978). The picks equal those of the plain greedy search, which is within
    1 - 1/e of the optimum (Nemhauser, Wolsey and Fisher, 1978). The kernel is scanned once; memory beside the kernel's
    own is O(N L + (L + k)^2). Factorisations are float64.

    With noise even an exact copy of a conditioning item has a gain of up to ``log(2) / 2``. Copies add no information,
    so they are picked last.

    Args:
        kernel: the candidates and the known items.
        sigma: standard deviation of the noise, above 0.
        bonus: (N,) added to each candidate's gain.
        inner: (N,) non-negative, added to the kernel's diagonal inside the determinant.

    Attributes:
        variance: (N,) float64 posterior variance when last evaluated: an upper bound of the current one.
        evaluated: number of candidates evaluated since the scan.

    Raises:
        SelectionError: the kernel of the known items plus noise is not positive definite.
    """

    def __init__(
        self, kernel: CandidateKernel, sigma: float, bonus: np.ndarray | None = None, inner: np.ndarray | None = None
    ) -> None:
        n = len(kernel)
        self.kernel, self.noise = kernel, float(sigma) ** 2
        self.bonus = np.zeros(n) if bonus is None else np.asarray(bonus, np.float64)
        self.inner = np.zeros(n) if inner is None else np.asarray(inner, np.float64)
        self.diagonal, self.variance, self.evaluated = np.zeros(n), np.zeros(n), 0
        self._norms = np.diag(kernel.known)  # squared norms of the conditioning set
        self._root = _cholesky(kernel.known, self.noise)  # R
        self._scan_rows = np.empty((n, len(kernel.known)))  # r_i after the scan
        self._rows: dict[int, np.ndarray] = {}  # r_i of candidates evaluated since
        self._picked: set[int] = set()
        self._is_twin = np.zeros(n, bool)
        self._is_current = np.zeros(n, bool)
        self._block = 1
        self._scan()

    def _scan(self) -> None:
        with progress_bar("kernel", len(self.variance), "frame", delay=3.0) as bar:
            for positions, diagonal, cross in self.kernel.scan():
                self.diagonal[positions] = diagonal
                self._scan_rows[positions] = _solve(self._root, cross.T).T
                self._update(positions, cross, self._scan_rows[positions])
                self._block = max(self._block, len(positions))
                bar.update(len(positions))

    def rate_gains(self) -> np.ndarray:
        """(N,) coding-rate part of each candidate's gain in nats, from :attr:`variance`."""
        return 0.5 * np.log1p(self.variance / self.noise)

    def gains(self) -> np.ndarray:
        """(N,) gain of each candidate, from :attr:`variance`."""
        return self._gains(np.arange(len(self.variance)))

    def posterior(self, positions: np.ndarray) -> np.ndarray:
        """(n,) current posterior variance of candidates."""
        for start in range(0, len(positions), self._block):
            self._evaluate(positions[start : start + self._block])
        return self.variance[positions]

    def picks(self, candidates: np.ndarray | None = None) -> Iterator[Pick]:
        """The picks in greedy order, among ``candidates`` (N,) bool (default all). The first of equal ones wins.

        The search is conditioned on a pick when the next one is requested.
        """
        left = np.ones(len(self.variance), bool) if candidates is None else np.array(candidates, bool)
        gains = self.gains()
        while left.any():
            best = self._best(gains, left)
            left[best] = False
            yield Pick(best, float(gains[best]), 0.5 * float(np.log1p(self.variance[best] / self.noise)))
            if left.any():
                self.condition_on(best)

    def condition_on(self, j: int) -> None:
        """Add candidate ``j`` to the conditioning set, unless it is there already."""
        if j in self._picked:
            return
        if not self._is_current[j]:
            self._evaluate(np.array([j]))
        row = self._row(j)
        m = len(row)
        root = np.zeros((m + 1, m + 1))  # [[R, 0], [r_j^T, sqrt(v_j + inner_j + sigma^2)]]
        root[:m, :m], root[m, :m] = self._root, row
        root[m, m] = np.sqrt(self.variance[j] + self.inner[j] + self.noise)
        self._root, self._norms = root, np.append(self._norms, self.diagonal[j])
        self._picked.add(j)
        self.kernel.condition_on(j)
        self._is_current[:] = False

    def _gains(self, positions: np.ndarray) -> np.ndarray:
        variance, inner = self.variance[positions], self.inner[positions]
        return 0.5 * np.log1p((variance + inner) / self.noise) + self.bonus[positions]

    def _best(self, gains: np.ndarray, left: np.ndarray) -> int:
        """The candidate with the largest gain. ``gains`` holds upper bounds; those that lead are made exact."""
        size = BATCH if self.evaluated else FIRST_BATCH
        while True:
            no_twin = left & ~self._is_twin
            bounds = np.where(no_twin if no_twin.any() else left, gains, -np.inf)
            best = int(np.argmax(bounds))
            if self._is_current[best]:
                return best
            size = min(size, self._block)
            top = np.union1d(best, np.argpartition(-bounds, size - 1)[: size - 1])
            stale = top[~self._is_current[top] & (bounds[top] != -np.inf)]
            self._evaluate(stale)
            gains[stale] = self._gains(stale)
            size *= 2

    def _evaluate(self, positions: np.ndarray) -> None:
        """Bring candidates up to date: extend each r_i by the items added since it was last evaluated.

        With R = [[A, 0], [B, C]] and r_i = A^-1 k_1 known, the new entries are ``C^-1 (k_2 - B r_i)``.
        """
        lengths = np.array([len(self._row(i)) for i in positions])
        for length in np.unique(lengths):
            group = positions[lengths == length]
            old = np.stack([self._row(i) for i in group])
            cross = self.kernel.cross(group, length)
            b, c = self._root[length:, :length], self._root[length:, length:]
            rows = np.concatenate([old, _solve(c, (cross - old @ b.T).T).T], 1)
            self._rows.update(zip(group.tolist(), rows))
            self._update(group, cross, rows)
        self.evaluated += len(positions)

    def _row(self, j: int) -> np.ndarray:
        """r_j when last evaluated."""
        return self._rows.get(int(j), self._scan_rows[j])

    def _update(self, positions: np.ndarray, cross: np.ndarray, rows: np.ndarray) -> None:
        """Set variances from ``rows``, and mark copies of the newest conditioning items, whose kernel is ``cross``."""
        diagonal = self.diagonal[positions]
        self.variance[positions] = np.maximum(diagonal - np.square(rows).sum(1), 0.0)
        self._is_current[positions] = True
        norms = self._norms[rows.shape[1] - cross.shape[1] :]
        distance = diagonal[:, None] + norms - 2 * cross
        twins = distance <= TWIN_DISTANCE * np.maximum(diagonal[:, None], norms)
        self._is_twin[positions] |= twins.any(1)


def _cholesky(gram: np.ndarray, noise: float) -> np.ndarray:
    """(L, L) lower Cholesky factor of ``gram + noise I``."""
    root, failed = torch.linalg.cholesky_ex(torch.from_numpy((gram + gram.T) / 2 + noise * np.eye(len(gram))))
    if failed or not root.isfinite().all():
        raise SelectionError("the kernel of the labelled frames plus sigma^2 is not positive definite; raise sigma")
    return root.numpy()


def _solve(root: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``root^-1 right`` for a lower triangular ``root``.

    Uses torch, like the kernels: SciPy's own thread pool competes with torch's and slows both down tenfold.
    """
    solved = torch.linalg.solve_triangular(*map(torch.from_numpy, (root, np.ascontiguousarray(right))), upper=False)
    return solved.numpy()
