"""Costs at equal AP against a fine grid and known answers, and the power against simulated experiments."""

import math

import numpy as np
import pytest
from scipy import stats

from kecor.comparison.results import evaluate_runs
from kecor.comparison.savings import cost_ratio, savings, seeds_to_show
from kecor.comparison.statistics import holm, seeds_needed
from kecor.comparison.tables import tables, verdict
from kecor.errors import ConfigError
from tests.comparison.prepared import rows_of
from tests.comparison.test_results import runs_of, texts

COSTS, APS = np.array([100.0, 200, 400]), np.array([10.0, 30, 50])


def rng(seed=0):
    return np.random.default_rng(seed)


def test_ratios_with_a_known_answer():
    assert cost_ratio((2 * COSTS, APS), (COSTS, APS)) == pytest.approx(2)
    assert cost_ratio((COSTS, APS), (4 * COSTS, APS)) == pytest.approx(0.25)
    assert cost_ratio((COSTS, APS), (COSTS, APS + 100)) is None  # no AP in common
    assert cost_ratio((COSTS * 0, APS), (COSTS, APS)) is None  # free


@pytest.mark.parametrize("seed", range(5))
def test_the_ratio_is_that_of_a_fine_grid_over_the_aps_of_the_pair(seed):
    one, other = (
        (np.cumsum(rng(s).uniform(5, 60, 6)), np.cumsum(rng(s + 50).uniform(1, 9, 6))) for s in (seed, seed + 9)
    )
    low, high = max(one[1][0], other[1][0]), min(one[1][-1], other[1][-1])
    grid = np.linspace(low, high, 100_001)
    logs = np.log(np.interp(grid, one[1], one[0])) - np.log(np.interp(grid, other[1], other[0]))
    assert math.log(cost_ratio(one, other)) == pytest.approx(logs.mean(), abs=2e-3)
    assert cost_ratio(one, other) == pytest.approx(1 / cost_ratio(other, one))


def test_methods_are_compared_with_the_reference_over_common_seeds():
    factors = {"dear": [1.0, 1.0, 1.0, 1.0], "fair": [0.9, 0.8, 0.7, 0.6], "same": [1.1, 0.9, 1.0, 1.0]}
    curves = {m: {s: (f * COSTS, APS) for s, f in enumerate(fs)} for m, fs in factors.items()}
    del curves["same"][3]
    fair, same = savings(curves, "dear", rng())
    assert (fair.method, same.method) == ("fair", "same")
    assert fair.ratios == pytest.approx(dict(enumerate(factors["fair"])))
    assert fair.ratio == pytest.approx(stats.gmean(factors["fair"]))
    assert fair.sd == pytest.approx(np.std(np.log(factors["fair"]), ddof=1))
    assert 0.6 <= fair.interval[0] < fair.ratio < fair.interval[1] <= 0.9
    assert (fair.p, same.p) == (0.125, 1)
    assert [fair.corrected, same.corrected] == holm([fair.p, same.p])
    assert set(same.ratios) == {0, 1, 2}
    assert savings(curves, "absent", rng()) == []


@pytest.mark.parametrize(("ratio", "sd", "tests"), [(0.8, 0.25, 1), (0.9, 0.2, 3), (0.7, 0.4, 2)])
def test_the_power_is_that_of_simulated_experiments(ratio, sd, tests):
    def power(n):
        samples = rng(n).normal(math.log(ratio), sd, (20_000, n))
        return (stats.ttest_1samp(samples, 0, axis=1).pvalue <= 0.05 / tests).mean()

    n = seeds_to_show(ratio, sd, 0.05, tests)
    assert power(n) >= 0.79
    assert power(n - 1) < 0.81


def test_the_limits_of_the_number_of_seeds():
    assert seeds_to_show(0.5, 1e-9, 0.05, 4) == seeds_needed(0.05, 4)
    assert seeds_to_show(0.999, 1.0, 0.05) is None
    needed = [seeds_to_show(ratio, 0.2, 0.05) for ratio in (0.95, 0.9, 0.8, 0.7)]
    assert needed == sorted(needed, reverse=True)


def test_a_comparison_shows_costs_at_prices_and_any_reference():
    runs = runs_of(6, random=0, better=10, worse=-10)
    results = evaluate_runs(runs, "Car_3d", None, rng(), "3:1", "worse")
    shown = {table.title: table for table in tables(results)}
    table = shown["Cost at equal AP, divided by that of worse"]
    assert [row[0] for row in table.rows] == ["random", "better"]
    assert all(row[1] < 1 for row in table.rows)
    assert [row[0] for row in shown["Seeds needed to show a saving"].rows] == ["random", "better"]
    assert results.heights["random"].keys() == set(range(6))
    said = verdict(results)
    assert said[-1].startswith("better: at equal AP it costs ")
    assert "less than worse, counted in money (3:1 for a frame and a box)" in said[-1]


def test_money_is_the_price_of_frames_and_boxes():
    dense, sparse = (texts(rows_of(boxes, [10.0, 30.0])) for boxes in ([100, 200], [50, 100]))
    runs = {"random": {0: dense}, "sparse": {0: sparse}}  # 10 frames, then 20
    (saved,) = evaluate_runs(runs, "Car_3d", None, rng(), "10:2").savings
    part = (np.arange(200) + 0.5) / 200
    expected = np.exp(np.mean(np.log((200 + 200 * part) / (300 + 300 * part))))
    assert saved.ratio == pytest.approx(expected)


@pytest.mark.parametrize("cost", ["3", "a:b", "0:0", "-1:2", "1:2:3", "nan:1", "inf:1"])
def test_prices_that_make_no_sense_are_named(cost):
    with pytest.raises(ConfigError, match="--cost: got"):
        evaluate_runs(runs_of(random=0), "Car_3d", None, rng(), cost)
