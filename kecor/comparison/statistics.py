"""Statistics of learning curves over several seeds: pure functions of numbers.

A learning curve is a pair of (R,) arrays: the cumulative cost after each round (labelled boxes or frames, never
decreasing) and the AP. It is piecewise linear between rounds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

EXACT = 16
"""Up to this many pairs, all 2^n sign flips are enumerated."""
DRAWS = 100_000
"""Number of random sign flips above that."""


def cost_to_reach(cost: np.ndarray, ap: np.ndarray, target: float) -> float:
    """The lowest cost at which a curve reaches ``target``; inf if it never does."""
    if ap[0] >= target:
        return float(cost[0])
    for i in range(1, len(ap)):
        if ap[i] >= target:
            part = (target - ap[i - 1]) / (ap[i] - ap[i - 1])
            return float(cost[i - 1] + part * (cost[i] - cost[i - 1]))
    return math.inf


def common_range(costs: Iterable[np.ndarray]) -> tuple[float, float] | None:
    """The range of costs that every curve covers; None if there is none."""
    curves = list(costs)
    low, high = max(curve[0] for curve in curves), min(curve[-1] for curve in curves)
    return (float(low), float(high)) if low < high else None


def mean_height(cost: np.ndarray, ap: np.ndarray, low: float, high: float) -> float:
    """Mean AP of a curve from ``low`` to ``high``: the area under it, divided by the length of the range it covers."""
    area = 0.0
    for x0, x1, y0, y1 in zip(cost[:-1], cost[1:], ap[:-1], ap[1:]):
        start, end = max(x0, low), min(x1, high)
        if start < end:
            middle = ((start + end) / 2 - x0) / (x1 - x0)
            area += (end - start) * (y0 + middle * (y1 - y0))
    return float(area / (high - low))


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (divisor n - 1); the latter is None for a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def bootstrap_interval(
    values: Sequence[float],
    rng: np.random.Generator,
    statistic: Callable[..., np.ndarray] = np.median,
    level: float = 0.95,
    draws: int = 10_000,
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron & Tibshirani 1993, ch. 13) of a ``statistic`` of ``values``.

    Values may be inf. The bounds are values of the statistic on some resample; there is no interpolation.
    """
    samples = np.asarray(values, np.float64)[rng.integers(len(values), size=(draws, len(values)))]
    found = statistic(samples, axis=1)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(low), float(high)


def sign_flip_p(differences: Sequence[float], rng: np.random.Generator) -> float:
    """Two-sided p-value of the paired sign-flip permutation test of the mean (Fisher 1935, ch. 3; Good 2005).

    Under the null hypothesis each difference is equally likely to have either sign: p is the share of sign flips whose
    mean is at least as far from 0. Above :data:`EXACT` pairs, :data:`DRAWS` random sign flips are used.
    """
    values = np.asarray(differences, np.float64)
    n = len(values)
    slack = 1e-9 * np.abs(values).sum()  # equal sums may differ by rounding
    threshold = abs(values.sum()) - slack
    if n <= EXACT:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
        return float((np.abs(signs @ values) >= threshold).mean())
    sums = (2.0 * rng.integers(0, 2, (DRAWS, n), dtype=np.int8) - 1) @ values
    return float((1 + (np.abs(sums) >= threshold).sum()) / (1 + DRAWS))


def smallest_p(n: int) -> float:
    """The smallest p-value of the two-sided sign-flip test of ``n`` pairs, reached when all signs agree."""
    return min(1.0, 2.0 ** (1 - n))


def seeds_needed(level: float, tests: int = 1) -> int:
    """The number of pairs needed for one of ``tests`` tests to reach ``level`` after Holm's correction."""
    return next(n for n in itertools.count(1) if tests * smallest_p(n) <= level)


def holm(ps: Sequence[float]) -> list[float]:
    """P-values adjusted for the number of tests by the step-down procedure of Holm (1979)."""
    corrected, highest = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[i]))
        corrected[i] = highest
    return corrected
