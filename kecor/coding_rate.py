"""Coding rate of a set of vectors and its greedy maximisation. Knows nothing of frames or detectors.

The rate ``R_eps(S) = 1/2 log det(I + d / (n eps^2) K_S)`` counts the nats needed to encode n vectors of d dimensions up
to an error eps (Ma, Derksen, Hong and Wright, "Segmentation of multivariate mixed data via lossy data coding and
compression", PAMI 2007); with the Gram matrix K_S in place of the covariance by Sylvester's identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch

from kecor.errors import SelectionError
from kecor.progress import progress_bar

TWIN_DISTANCE = 1e-6
"""Squared kernel distance, relative to the squared norm, below which two items count as the same."""
PATIENCE = 3.0
"""Seconds a pass over the kernel may take before a progress bar tells of it."""
AHEAD, FEWEST = 128, 8
"""Leading candidates computed at once: before the second pick, and later on (then twice as many each time that none of
them leads)."""


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


class CandidateKernel(Protocol):
    """A kernel between N candidates and the items observed so far.

    Attributes:
        known: (L, L) kernel between the items that were observed from the start.
    """

    known: np.ndarray

    def __len__(self) -> int:
        """N."""
        ...

    def scan(self) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """All candidates in parts: positions (n,), kernel with themselves (n,) and with the known items (n, L)."""
        ...

    def cross(self, positions: np.ndarray, since: int) -> np.ndarray:
        """(n, m) kernel of candidates, no more than a part has, with the observed items but the first ``since``."""
        ...

    def condition_on(self, position: int) -> None:
        """Add a candidate to the observed items, behind those that are there."""
        ...


class GramMatrix:
    """An :class:`CandidateKernel` over matrices that are there.

    Args:
        gram: (N, N) kernel between the candidates.
        cross: (N, L) with the items observed from the start; none by default.
        known: (L, L) between these.
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

    def cross(self, positions: np.ndarray, since: int) -> np.ndarray:
        both = np.concatenate([self.cross_known[positions], self.gram[np.ix_(positions, self._picked)]], 1)
        return both[:, since:]

    def condition_on(self, position: int) -> None:
        self._picked.append(position)


class GreedyCodingRate:
    """Greedy maximisation of ``1/2 log det(I + (K + diag(inner)) / sigma^2) + sum(bonus)`` over sets of candidates.

    K is the kernel conditioned on what was observed from the start. ``variance[i]`` is the posterior variance of
    candidate i given everything observed under noise sigma^2, and i's gain is ``1/2 log(1 + variance[i] / sigma^2)``,
    with ``inner`` added inside the logarithm and ``bonus`` outside it. The gains of the picks sum to the objective.

    The objective is submodular: a gain only falls as more is observed, so a gain computed earlier bounds it from
    above, and only the candidates whose bounds lead need to be computed anew (Minoux, "Accelerated greedy algorithms
    for maximizing submodular set functions", 1978). The picks are those of the plain greedy search. One pass over
    the kernel is made at the start; beside the kernel's own, memory is O(N L + (L + k)^2). Factorisations are float64.

    Under noise even an exact copy of an observed item keeps a gain of up to ``log(2) / 2``; a copy buys nothing, so it
    is put off until no other candidate is left.

    Args:
        kernel: the candidates and what is observed from the start.
        sigma: standard deviation of the noise, above zero.
        bonus: (N,) added to each candidate's gain.
        inner: (N,) not negative, added to the kernel's diagonal inside the determinant.

    Attributes:
        variance: (N,) float64 posterior variance when it was last computed: an upper bound of what it is now.
        evaluated: how many candidates were computed anew since the first pass.

    Raises:
        SelectionError: the kernel of the items observed from the start cannot be factorised.
    """

    def __init__(
        self, kernel: CandidateKernel, sigma: float, bonus: np.ndarray | None = None, inner: np.ndarray | None = None
    ) -> None:
        n = len(kernel)
        self.kernel, self.noise = kernel, float(sigma) ** 2
        self.bonus = np.zeros(n) if bonus is None else np.asarray(bonus, np.float64)
        self.inner = np.zeros(n) if inner is None else np.asarray(inner, np.float64)
        self._norms = np.diag(kernel.known)
        self._picked: set[int] = set()
        self._first = np.empty((n, len(kernel.known)))
        self._later: dict[int, np.ndarray] = {}
        self._root = _root(kernel.known, self.noise)
        self._twin = np.zeros(n, bool)
        self._current = np.zeros(n, bool)
        self.diagonal, self.variance, self.evaluated = np.zeros(n), np.zeros(n), 0
        self._most = 1
        with progress_bar("kernel", n, "frame", delay=PATIENCE) as bar:
            for positions, diagonal, cross in kernel.scan():
                self.diagonal[positions] = diagonal
                self._first[positions] = _solve(self._root, cross.T).T
                self._update(positions, cross, self._first[positions])
                self._most = max(self._most, len(positions))
                bar.update(len(positions))

    def rate_gains(self) -> np.ndarray:
        """(N,) coding-rate part of each candidate's gain, in nats, as of :attr:`variance`."""
        return 0.5 * np.log1p(self.variance / self.noise)

    def gains(self) -> np.ndarray:
        """(N,) whole gain of each candidate, as of :attr:`variance`."""
        return 0.5 * np.log1p((self.variance + self.inner) / self.noise) + self.bonus

    def posterior(self, positions: np.ndarray) -> np.ndarray:
        """(n,) posterior variance of candidates given all that is observed."""
        for start in range(0, len(positions), self._most):
            self._evaluate(positions[start : start + self._most])
        return self.variance[positions]

    def picks(self, candidates: np.ndarray | None = None) -> Iterator[Pick]:
        """The picks in greedy order, among the ``candidates`` (N,) bool (default all); of equals the first is taken.

        A pick is observed when the next one is asked for.
        """
        left = np.ones(len(self.variance), bool) if candidates is None else np.array(candidates, bool)
        gains = self.gains()
        while left.any():
            best = self._leader(gains, left)
            left[best] = False
            yield Pick(best, float(gains[best]), 0.5 * float(np.log1p(self.variance[best] / self.noise)))
            if left.any():
                self.condition_on(best)

    def condition_on(self, j: int) -> None:
        """Take candidate ``j`` as observed; nothing happens when it is already."""
        if j in self._picked:
            return
        if not self._current[j]:
            self._evaluate(np.array([j]))
        row = self._row(j)
        m = len(row)
        root = np.zeros((m + 1, m + 1))
        root[:m, :m], root[m, :m] = self._root, row
        root[m, m] = np.sqrt(self.variance[j] + self.inner[j] + self.noise)
        self._root, self._norms = root, np.append(self._norms, self.diagonal[j])
        self._picked.add(j)
        self.kernel.condition_on(j)
        self._current[:] = False

    def _leader(self, gains: np.ndarray, left: np.ndarray) -> int:
        """The candidate of the greatest gain; ``gains`` are bounds, made exact where they lead."""
        size = FEWEST if self.evaluated else AHEAD
        while True:
            fresh = left & ~self._twin
            bounds = np.where(fresh if fresh.any() else left, gains, -np.inf)
            best = int(np.argmax(bounds))
            if self._current[best]:
                return best
            size = min(size, self._most)
            top = np.union1d(best, np.argpartition(-bounds, size - 1)[: size - 1])
            stale = top[~self._current[top] & (bounds[top] != -np.inf)]
            self._evaluate(stale)
            gains[stale] = 0.5 * np.log1p((self.variance[stale] + self.inner[stale]) / self.noise) + self.bonus[stale]
            size *= 2

    def _evaluate(self, positions: np.ndarray) -> None:
        """Make the variance of candidates exact, each going on from what was observed when it was last computed."""
        done = np.array([len(self._row(i)) for i in positions])
        for length in np.unique(done):
            group = positions[done == length]
            before = np.stack([self._row(i) for i in group])
            cross = self.kernel.cross(group, length)
            seen, new = self._root[length:, :length], self._root[length:, length:]
            rows = np.concatenate([before, _solve(new, (cross - before @ seen.T).T).T], 1)
            self._later.update(zip(group.tolist(), rows))
            self._update(group, cross, rows)
        self.evaluated += len(positions)

    def _row(self, j: int) -> np.ndarray:
        """Candidate j's row of the Cholesky factor, as far as it was computed."""
        return self._later.get(int(j), self._first[j])

    def _update(self, positions: np.ndarray, cross: np.ndarray, rows: np.ndarray) -> None:
        """Variances of candidates from their rows; of the last observed items, with kernel ``cross``, they may be
        copies."""
        diagonal = self.diagonal[positions]
        self.variance[positions] = np.maximum(diagonal - np.square(rows).sum(1), 0.0)
        self._current[positions] = True
        norms = self._norms[rows.shape[1] - cross.shape[1] :]
        distance = diagonal[:, None] + norms - 2 * cross
        twins = distance <= TWIN_DISTANCE * np.maximum(diagonal[:, None], norms)
        self._twin[positions] |= twins.any(1)


def _root(gram: np.ndarray, noise: float) -> np.ndarray:
    """(L, L) lower Cholesky factor of ``gram + noise I``."""
    root, failed = torch.linalg.cholesky_ex(torch.from_numpy((gram + gram.T) / 2 + noise * np.eye(len(gram))))
    if failed or not root.isfinite().all():
        raise SelectionError("the kernel of the labelled items plus sigma^2 is not positive definite; raise sigma")
    return root.numpy()


def _solve(root: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``root^-1 right``. By torch, as kernels are: SciPy has threads of its own, and two pools of threads that wait
    by spinning slow one another down tenfold."""
    solved = torch.linalg.solve_triangular(*map(torch.from_numpy, (root, np.ascontiguousarray(right))), upper=False)
    return solved.numpy()
