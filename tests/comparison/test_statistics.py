"""The statistics against brute force, scipy and cases with known answers."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from kecor.comparison.statistics import (
    bootstrap_interval,
    common_range,
    cost_to_reach,
    holm,
    mean_and_sd,
    mean_height,
    seeds_needed,
    sign_flip_p,
    smallest_p,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def curve(seed):
    """Increasing numbers of boxes and an AP that sometimes falls."""
    random = rng(seed)
    return np.cumsum(random.integers(1, 60, 6)).astype(float), np.cumsum(random.normal(4, 6, 6))


@pytest.mark.parametrize("seed", range(8))
def test_the_first_crossing_is_that_of_a_fine_grid(seed):
    boxes, ap = curve(seed)
    grid = np.linspace(boxes[0], boxes[-1], 200_001)
    heights = np.interp(grid, boxes, ap)
    for target in np.linspace(ap.min() - 1, ap.max() + 1, 9):
        above = np.flatnonzero(heights >= target)
        found = cost_to_reach(boxes, ap, target)
        if len(above):
            assert found == pytest.approx(grid[above[0]], abs=2 * (grid[1] - grid[0]))
        else:
            assert found == math.inf


def test_crossings_with_a_known_answer():
    boxes, ap = np.array([10.0, 20, 20, 40]), np.array([0.0, 5, 15, 5])
    assert cost_to_reach(boxes, ap, 2.5) == 15
    assert cost_to_reach(boxes, ap, 10) == 20
    assert cost_to_reach(boxes, ap, -1) == cost_to_reach(boxes, ap, 0) == 10
    assert cost_to_reach(boxes, ap, 15) == 20
    assert cost_to_reach(boxes, ap, 15.01) == math.inf
    assert cost_to_reach(np.array([7.0]), np.array([3.0]), 4) == math.inf


@pytest.mark.parametrize("seed", range(8))
def test_the_area_is_that_of_a_fine_grid(seed):
    boxes, ap = curve(seed)
    low, high = boxes[0] + 0.3 * (boxes[-1] - boxes[0]), boxes[-1] - 3
    grid = np.linspace(low, high, 200_001)
    expected = integrate.trapezoid(np.interp(grid, boxes, ap), grid) / (high - low)
    assert mean_height(boxes, ap, low, high) == pytest.approx(expected, abs=1e-6)


def test_areas_with_a_known_answer():
    boxes, ap = np.array([0.0, 10, 10, 20]), np.array([0.0, 10, 30, 30])
    assert mean_height(boxes, ap, 0, 20) == (50 + 300) / 20
    assert mean_height(boxes, ap, 5, 10) == 7.5
    assert mean_height(boxes, ap, 10, 20) == 30  # a step at the edge belongs to neither side
    assert mean_height(boxes, ap, 0, 10) == 5
    assert mean_height(np.array([2.0, 9]), np.array([61.5, 61.5]), 3, 4) == 61.5


def test_the_common_range_is_what_all_curves_cover():
    a, b, c = np.array([1.0, 5, 9]), np.array([3.0, 12]), np.array([9.0, 20])
    assert common_range([a, b]) == (3, 9)
    assert common_range([a]) == (1, 9)
    assert common_range([a, b, c]) is None
    assert common_range([a, np.array([4.0])]) is None


def test_mean_and_deviation_are_those_of_scipy():
    values = rng().normal(size=7)
    mean, deviation = mean_and_sd(values)
    assert (mean, deviation) == pytest.approx((stats.tmean(values), stats.tstd(values)))
    assert mean_and_sd([3.0]) == (3.0, None)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 10])
def test_sign_flip_p_is_that_of_scipy_and_of_brute_force(n):
    for shift in (0, 0.7, 3):
        values = rng(n).normal(shift, 1, n)
        sums = [abs(sum(s * v for s, v in zip(signs, values))) for signs in itertools.product((1, -1), repeat=n)]
        brute = np.mean([s >= abs(values.sum()) - 1e-9 for s in sums])
        found = sign_flip_p(values, rng())
        assert found == brute
        assert found >= smallest_p(n)
        if n > 1:
            result = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
            assert found == pytest.approx(result.pvalue)


def test_sign_flip_p_counts_ties_despite_rounding():
    assert sign_flip_p([0.1, 0.2, 0.3], rng()) == 0.25
    assert sign_flip_p([0.3, -0.1, -0.2], rng()) == 1
    assert sign_flip_p([0.0, 0.0], rng()) == 1
    assert sign_flip_p([2.0] * 6, rng()) == smallest_p(6) == 0.03125


def test_for_many_pairs_random_sign_flips_approximate_the_exact_p():
    values = rng(5).normal(0.4, 1, 18)
    signs = 1.0 - 2.0 * ((np.arange(2**18)[:, None] >> np.arange(18)) & 1)
    exact = (np.abs(signs @ values) >= abs(values.sum()) - 1e-9).mean()
    assert 0.02 < exact < 0.5
    assert sign_flip_p(values, rng()) == pytest.approx(exact, abs=0.005)
    assert 0 < sign_flip_p(np.full(40, 1.0), rng()) < 1e-4


def test_the_number_of_seeds_needed_for_significance():
    assert [smallest_p(n) for n in (1, 2, 3, 5, 6)] == [1, 0.5, 0.25, 0.0625, 0.03125]
    assert [seeds_needed(0.05, tests) for tests in (1, 2, 4)] == [6, 7, 8]
    for n, tests in itertools.product(range(1, 10), (1, 3)):
        corrected = min(holm([sign_flip_p([1.0] * n, rng())] * tests))
        assert (corrected <= 0.05) == (n >= seeds_needed(0.05, tests))


@pytest.mark.parametrize("seed", range(6))
def test_holm_steps_down_through_the_tests(seed):
    ps = rng(seed).uniform(0, 0.3, 5)
    corrected = holm(ps)
    for level in rng(seed).uniform(0, 1, 50):
        rejected, order = set(), np.argsort(ps)
        for rank, i in enumerate(order):  # the procedure as published: stop at the first test that is not rejected
            if ps[i] > level / (len(ps) - rank):
                break
            rejected.add(i)
        assert {i for i in range(5) if corrected[i] <= level} == rejected
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1, 1]


def test_the_bootstrap_interval_is_that_of_all_resamples():
    values = [3.0, 8.0, 1.0, 20.0]
    medians = np.sort([np.median(sample) for sample in itertools.product(values, repeat=4)])
    for level in (0.5, 0.9):
        low, high = bootstrap_interval(values, rng(), level=level, draws=200_000)
        cumulated = np.searchsorted(medians, [low, high], side="right") / len(medians)
        before = np.searchsorted(medians, [low, high], side="left") / len(medians)
        wanted = np.array([(1 - level) / 2, (1 + level) / 2])
        assert (before - 0.01 <= wanted).all()
        assert (wanted <= cumulated + 0.01).all()


def test_the_bootstrap_interval_is_that_of_scipy():
    values = rng(1).normal(10, 3, 25)
    result = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, random_state=rng(2))
    found = bootstrap_interval(values, rng(), np.mean, draws=20_000)
    assert found == pytest.approx(tuple(result.confidence_interval), abs=0.06)


def test_the_bootstrap_accepts_infinite_values():
    assert bootstrap_interval([100.0, 120.0, math.inf], rng()) == (100, math.inf)
    assert bootstrap_interval([math.inf] * 3, rng()) == (math.inf, math.inf)
    assert bootstrap_interval([5.0], rng()) == (5, 5)
