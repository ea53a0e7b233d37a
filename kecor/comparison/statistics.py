"""What runs over several seeds say of methods: pure functions of numbers.

A learning curve is two arrays (R,): the cost paid by each round, labelled boxes or frames, which never falls, and the
AP measured then; between rounds it is taken to be straight.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

EXACT = 16
"""Up to so many pairs every one of the 2^n sign changes is tried."""
DRAWS = 100_000


def cost_to_reach(cost: np.ndarray, ap: np.ndarray, target: float) -> float:
    """Where a curve first comes to ``target``: its first cost if it starts there, inf if it never does."""
    if ap[0] >= target:
        return float(cost[0])
    for i in range(1, len(ap)):
        if ap[i] >= target:
            part = (target - ap[i - 1]) / (ap[i] - ap[i - 1])
            return float(cost[i - 1] + part * (cost[i] - cost[i - 1]))
    return math.inf


def common_range(costs: Iterable[np.ndarray]) -> tuple[float, float] | None:
    """The range of costs that every one of some curves covers; None when there is none."""
    curves = list(costs)
    low, high = max(curve[0] for curve in curves), min(curve[-1] for curve in curves)
    return (float(low), float(high)) if low < high else None


def mean_height(cost: np.ndarray, ap: np.ndarray, low: float, high: float) -> float:
    """The area under a curve from ``low`` to ``high``, which it covers, divided by their distance: AP on average."""
    area = 0.0
    for x0, x1, y0, y1 in zip(cost[:-1], cost[1:], ap[:-1], ap[1:]):
        start, end = max(x0, low), min(x1, high)
        if start < end:
            middle = ((start + end) / 2 - x0) / (x1 - x0)
            area += (end - start) * (y0 + middle * (y1 - y0))
    return float(area / (high - low))


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean and the standard deviation (n - 1 below) of one or more values; the latter is None for a single one."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def bootstrap_interval(
    values: Sequence[float],
    rng: np.random.Generator,
    statistic: Callable[..., np.ndarray] = np.median,
    level: float = 0.95,
    draws: int = 10_000,
) -> tuple[float, float]:
    """The percentile bootstrap interval (Efron & Tibshirani 1993, ch. 13) of a ``statistic`` of ``values``.

    Values may be inf. The bounds are values the statistic took, never something between two of them.
    """
    samples = np.asarray(values, np.float64)[rng.integers(len(values), size=(draws, len(values)))]
    found = statistic(samples, axis=1)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(low), float(high)


def sign_flip_p(differences: Sequence[float], rng: np.random.Generator) -> float:
    """Two-sided p of the paired sign-flip permutation test of the mean (Fisher 1935, ch. 3; Good 2005).

    Were two methods alike, every difference could as well have had the other sign: p is the share of all sign changes
    whose mean is at least as far from 0. Above :data:`EXACT` pairs, :data:`DRAWS` random changes stand for all.
    """
    values = np.asarray(differences, np.float64)
    n = len(values)
    slack = 1e-9 * np.abs(values).sum()  # sums that are equal may differ in their last digits
    observed = abs(values.sum()) - slack
    if n <= EXACT:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
        return float((np.abs(signs @ values) >= observed).mean())
    sums = (2.0 * rng.integers(0, 2, (DRAWS, n), dtype=np.int8) - 1) @ values
    return float((1 + (np.abs(sums) >= observed).sum()) / (1 + DRAWS))


def smallest_p(n: int) -> float:
    """The smallest p the two-sided sign-flip test of ``n`` pairs can give: all signs alike, one way or the other."""
    return min(1.0, 2.0 ** (1 - n))


def seeds_needed(level: float, tests: int = 1) -> int:
    """The least number of pairs with which one of ``tests`` tests can fall to ``level`` after Holm's correction."""
    return next(n for n in itertools.count(1) if tests * smallest_p(n) <= level)


def holm(ps: Sequence[float]) -> list[float]:
    """The p of several tests, corrected for their number (Holm 1979): each may be read as if it were the only one."""
    corrected, highest = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[i]))
        corrected[i] = highest
    return corrected
