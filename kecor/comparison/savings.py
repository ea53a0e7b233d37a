"""What methods save at equal AP, compared with a reference method, and how many seeds would show it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kecor.comparison import statistics

TARGETS = 200
"""Number of target APs that a pair of curves is averaged over."""
POWER = 0.8
"""Probability with which an effect should be found."""
MOST = 10_000
"""No number of seeds above this is looked for."""
Curve = tuple[np.ndarray, np.ndarray]
"""(R,) cost and (R,) AP."""


@dataclass(frozen=True)
class Saving:
    """Cost of one method relative to the reference at equal AP.

    Attributes:
        method: its name.
        ratios: seed -> geometric mean of the cost ratio over target APs; below 1, the method is cheaper.
        ratio: geometric mean over seeds.
        interval: 95 % bootstrap interval of ``ratio``.
        sd: standard deviation of the logarithm of ``ratios``; None for one seed.
        p: two-sided sign-flip test of the logarithms.
        corrected: ``p`` corrected for the number of methods (Holm).
    """

    method: str
    ratios: dict[int, float]
    ratio: float
    interval: tuple[float, float]
    sd: float | None
    p: float
    corrected: float


def cost_ratio(curve: Curve, reference: Curve) -> float | None:
    """Geometric mean of the cost of ``curve`` over that of ``reference`` at equal AP.

    Target APs are spread evenly between the higher of the first APs and the lower of the highest; None if there is
    none, or if the reference reaches one at no cost.
    """
    low = max(curve[1][0], reference[1][0])
    high = min(curve[1].max(), reference[1].max())
    if low >= high:
        return None
    targets = low + (high - low) * (np.arange(TARGETS) + 0.5) / TARGETS
    costs = np.array([[statistics.cost_to_reach(*one, target) for one in (curve, reference)] for target in targets])
    return float(np.exp(np.mean(np.log(costs[:, 0] / costs[:, 1])))) if (costs > 0).all() else None


def savings(
    curves: Mapping[str, Mapping[int, Curve]], against: str, rng: np.random.Generator, level: float = 0.95
) -> list[Saving]:
    """Compare each method with ``against`` over the seeds that both have; empty without the reference."""
    reference = curves.get(against, {})
    found = []
    for method, seeds in curves.items():
        pairs = {seed: cost_ratio(curve, reference[seed]) for seed, curve in seeds.items() if seed in reference}
        ratios = {seed: ratio for seed, ratio in pairs.items() if ratio is not None}
        if method != against and ratios:
            logs = [math.log(ratio) for ratio in ratios.values()]
            mean, sd = statistics.mean_and_sd(logs)
            low, high = statistics.bootstrap_interval(logs, rng, np.mean, level)
            interval = (math.exp(low), math.exp(high))
            found.append((method, ratios, math.exp(mean), interval, sd, statistics.sign_flip_p(logs, rng)))
    corrected = statistics.holm([one[-1] for one in found])
    return [Saving(*one, p) for one, p in zip(found, corrected)]


def seeds_to_show(ratio: float, sd: float, level: float, tests: int = 1) -> int | None:
    """Number of seeds with which a true cost ratio of ``ratio`` is significant with a probability of :data:`POWER`.

    Power of the two-sided paired t-test of the log ratios, whose standard deviation is ``sd``, at ``level / tests``
    (noncentral t distribution; Cohen 1988, ch. 2). At least the number that the sign-flip test needs. None if it is
    more than :data:`MOST`.
    """
    effect = abs(math.log(ratio)) / max(sd, 1e-12)
    least = statistics.seeds_needed(level, tests)
    n = np.arange(least, MOST + 1)
    critical, shift = stats.t.ppf(1 - level / tests / 2, n - 1), effect * np.sqrt(n)
    power = stats.nct.sf(critical, n - 1, np.minimum(shift, 30.0))  # beyond 30 the power is 1
    enough = np.flatnonzero(power >= POWER)
    return int(n[enough[0]]) if len(enough) else None
