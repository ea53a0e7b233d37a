"""What the finished runs of a comparison say: the numbers of its tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kecor.comparison import statistics
from kecor.comparison.rows import Runs
from kecor.errors import DataError
from kecor.visualization.run_folder import number

BASELINE = "random"


@dataclass(frozen=True)
class RoundMeans:
    """One round of one method over ``seeds`` seeds: mean and standard deviation of frames, boxes and AP."""

    method: str
    round: int
    seeds: int
    frames: tuple[float, float | None]
    boxes: tuple[float, float | None]
    ap: tuple[float, float | None]


@dataclass(frozen=True)
class Reach:
    """The cost at which one method reached an AP: by seed (inf: not reached), its median and bootstrap interval."""

    method: str
    costs: dict[int, float]
    median: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Paired:
    """Mean height of one method's curve less that of the baseline, by seed; p as it is and as corrected for the tests
    made."""

    method: str
    differences: dict[int, float]
    mean: float
    p: float
    corrected: float


@dataclass(frozen=True)
class Results:
    """All that is shown. ``cost``: the column that says what was paid, ``boxes`` or ``frames``; ``target_given``:
    whether the user named the target; ``span``: the range of costs that all runs cover, None when there is none;
    ``heights``: method -> seed -> mean height of its curve over the span."""

    metric: str
    cost: str
    runs: Runs
    target: float
    target_given: bool
    span: tuple[float, float] | None
    rounds: list[RoundMeans]
    reach: list[Reach]
    heights: dict[str, dict[int, float]]
    paired: list[Paired]

    @property
    def seeds(self) -> list[int]:
        """The seeds of which there is a run."""
        return sorted({seed for runs in self.runs.values() for seed in runs})


def curve(rows: Sequence[Mapping[str, str]], metric: str, cost: str) -> tuple[np.ndarray, np.ndarray]:
    """Column ``cost`` and AP of the rounds that have an AP."""
    points = [(number(row[cost]), number(row[metric])) for row in rows]
    xs, aps = zip(*[point for point in points if point[1] is not None])
    return np.array(xs), np.array(aps)


def evaluate_runs(
    runs: Runs, metric: str, target: float | None, rng: np.random.Generator, cost: str = "boxes"
) -> Results:
    """The numbers of a comparison of ``runs`` by the column ``metric`` against the column ``cost``.

    Without a ``target`` it is the highest AP, to one decimal, that every run reaches.

    Raises:
        DataError: a run has no value of ``metric``; names the run.
    """
    for method, seeds in runs.items():
        for seed, rows in seeds.items():
            if not any(number(row.get(metric)) is not None for row in rows):
                raise DataError(
                    f"{method}, seed {seed}: no round has a value of {metric}, for the validation split holds no "
                    f"object of that class (of any, for a mean) and level; compare by another --metric"
                )
    curves = {m: {s: curve(rows, metric, cost) for s, rows in seeds.items()} for m, seeds in runs.items()}
    every = [found for seeds in curves.values() for found in seeds.values()]
    span = statistics.common_range(costs for costs, _ in every)
    wanted = math.floor(10 * min(ap.max() for _, ap in every)) / 10 if target is None else float(target)
    heights: dict[str, dict[int, float]] = {}
    if span is not None:
        heights = {
            m: {s: statistics.mean_height(*found, *span) for s, found in seeds.items()} for m, seeds in curves.items()
        }
    return Results(
        metric,
        cost,
        runs,
        wanted,
        target is not None,
        span,
        [means for method in runs for means in round_means(runs, method, metric)],
        [_reach(method, seeds, wanted, rng) for method, seeds in curves.items()],
        heights,
        _paired(heights, rng),
    )


def round_means(runs: Runs, method: str, metric: str) -> list[RoundMeans]:
    """The rounds of one method, each over the seeds whose run came to it."""
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


def _paired(heights: dict[str, dict[int, float]], rng: np.random.Generator) -> list[Paired]:
    """Each method against the baseline, over the seeds both have; none without a baseline."""
    base = heights.get(BASELINE, {})
    found = []
    for method, seeds in heights.items():
        differences = {seed: height - base[seed] for seed, height in seeds.items() if seed in base}
        if method != BASELINE and differences:
            values = list(differences.values())
            found.append((method, differences, float(np.mean(values)), statistics.sign_flip_p(values, rng)))
    corrected = statistics.holm([p for *_, p in found])
    return [Paired(*one, p) for one, p in zip(found, corrected)]
