"""The numbers in the tables of a comparison, computed from its finished runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kecor.comparison import statistics
from kecor.comparison.rows import Runs
from kecor.comparison.savings import Saving, savings
from kecor.errors import ConfigError, DataError
from kecor.visualization.run_folder import number

BASELINE = "random"
"""The reference method unless another one is named."""
COSTS = {"boxes": (0.0, 1.0), "frames": (1.0, 0.0)}
"""Costs with a name: price of a frame, price of a box."""


@dataclass(frozen=True)
class RoundMeans:
    """Mean and standard deviation of frames, boxes and AP in one round of one method, over ``seeds`` seeds."""

    method: str
    round: int
    seeds: int
    frames: tuple[float, float | None]
    boxes: tuple[float, float | None]
    ap: tuple[float, float | None]


@dataclass(frozen=True)
class Reach:
    """Cost at which one method reaches the target AP: per seed (inf: not reached), median and bootstrap interval."""

    method: str
    costs: dict[int, float]
    median: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Paired:
    """Mean curve height of one method minus that of the reference, per seed.

    ``p`` is the p-value of the paired test; ``corrected`` is corrected for the number of methods tested.
    """

    method: str
    differences: dict[int, float]
    mean: float
    p: float
    corrected: float


@dataclass(frozen=True)
class Results:
    """All results of a comparison.

    Attributes:
        metric: the column of the AP.
        cost: what the cost is: boxes, frames, or money with the price of a frame and of a box.
        runs: the rows of each run.
        target: the target AP.
        target_given: whether the user chose the target.
        span: the range of costs that all runs cover; None if there is none.
        rounds: means per method and round.
        reach: cost of the target AP, per method.
        heights: method -> seed -> mean height of the curve over ``span``.
        against: the reference method.
        paired: AP of each method at equal cost, compared with the reference.
        savings: cost of each method at equal AP, compared with the reference.
    """

    metric: str
    cost: str
    runs: Runs
    target: float
    target_given: bool
    span: tuple[float, float] | None
    rounds: list[RoundMeans]
    reach: list[Reach]
    heights: dict[str, dict[int, float]]
    against: str
    paired: list[Paired]
    savings: list[Saving]

    @property
    def seeds(self) -> list[int]:
        """All seeds with a finished run, ascending."""
        return sorted({seed for runs in self.runs.values() for seed in runs})


def curve(rows: Sequence[Mapping[str, str]], metric: str, cost: str) -> tuple[np.ndarray, np.ndarray]:
    """(R,) cost and (R,) AP of the rounds that have an AP."""
    of_frame, of_box = prices(cost)
    points = [(row, ap) for row in rows if (ap := number(row[metric])) is not None]
    costs = [of_frame * float(row["frames"]) + of_box * float(row["boxes"]) for row, _ in points]
    return np.array(costs), np.array([ap for _, ap in points])


def prices(cost: str) -> tuple[float, float]:
    """Price of a frame and of a box in ``cost``: ``boxes``, ``frames``, or the two prices as in ``3:1``.

    Raises:
        ConfigError: it is something else.
    """
    if cost in COSTS:
        return COSTS[cost]
    parts = [number(part) for part in cost.split(":")]
    if len(parts) != 2 or any(part is None or not 0 <= part <= 1e6 for part in parts) or not any(parts):
        raise ConfigError(f"--cost: got {cost!r}; expected boxes, frames, or prices FRAME:BOX such as 3:1")
    return float(parts[0] or 0), float(parts[1] or 0)


def evaluate_runs(
    runs: Runs,
    metric: str,
    target: float | None,
    rng: np.random.Generator,
    cost: str = "boxes",
    against: str = BASELINE,
) -> Results:
    """Compare ``runs`` by the column ``metric`` at equal ``cost`` (see :func:`prices`), with the method ``against``.

    The default ``target`` is the highest AP, rounded down to one decimal, that every run reaches.

    Raises:
        DataError: a run has no value of ``metric``; names the run.
    """
    for method, seeds in runs.items():
        for seed, rows in seeds.items():
            if not any(number(row.get(metric)) is not None for row in rows):
                raise DataError(
                    f"{method}, seed {seed}: no round has a value of {metric}: the validation split holds no "
                    "object of that class and level (for a mean: of any class); choose another --metric"
                )
    curves = {m: {s: curve(rows, metric, cost) for s, rows in seeds.items()} for m, seeds in runs.items()}
    all_curves = [found for seeds in curves.values() for found in seeds.values()]
    span = statistics.common_range(costs for costs, _ in all_curves)
    target_ap = math.floor(10 * min(ap.max() for _, ap in all_curves)) / 10 if target is None else float(target)
    heights: dict[str, dict[int, float]] = {}
    if span is not None:
        heights = {
            m: {s: statistics.mean_height(*found, *span) for s, found in seeds.items()} for m, seeds in curves.items()
        }
    return Results(
        metric,
        cost if cost in COSTS else f"money ({cost} for a frame and a box)",
        runs,
        target_ap,
        target is not None,
        span,
        [means for method in runs for means in round_means(runs, method, metric)],
        [_reach(method, seeds, target_ap, rng) for method, seeds in curves.items()],
        heights,
        against,
        _paired(heights, against, rng),
        savings(curves, against, rng),
    )


def round_means(runs: Runs, method: str, metric: str) -> list[RoundMeans]:
    """Means of each round of one method, over the seeds whose run has that round."""
    means = []
    for k in range(max(len(rows) for rows in runs[method].values())):
        rows = [rows[k] for rows in runs[method].values() if k < len(rows)]
        columns = [[v for row in rows if (v := number(row[name])) is not None] for name in ("frames", "boxes", metric)]
        if all(columns):
            means.append(RoundMeans(method, k, len(rows), *map(statistics.mean_and_sd, columns)))
    return means


def _reach(method: str, curves: dict[int, tuple[np.ndarray, np.ndarray]], ap: float, rng: np.random.Generator) -> Reach:
    costs = {seed: statistics.cost_to_reach(*found, ap) for seed, found in curves.items()}
    values = list(costs.values())
    return Reach(method, costs, float(np.median(values)), statistics.bootstrap_interval(values, rng))


def _paired(heights: dict[str, dict[int, float]], against: str, rng: np.random.Generator) -> list[Paired]:
    """Compare each method with ``against`` over their common seeds; empty without the reference."""
    base = heights.get(against, {})
    found = []
    for method, seeds in heights.items():
        differences = {seed: height - base[seed] for seed, height in seeds.items() if seed in base}
        if method != against and differences:
            values = list(differences.values())
            found.append((method, differences, float(np.mean(values)), statistics.sign_flip_p(values, rng)))
    corrected = statistics.holm([p for *_, p in found])
    return [Paired(*one, p) for one, p in zip(found, corrected)]
