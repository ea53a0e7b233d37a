import numpy as np
import pytest
from scipy.stats import entropy, gaussian_kde

from kecor.benchmarks import acquisition as bench_acquisition
from kecor.benchmarks import plain_crb as bench_plain_crb
from kecor.errors import ConfigError


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_kernels_pick_what_fitted_estimates_pick(seed):
    tool = bench_acquisition
    header, _, row = tool.benchmark_acquisition(candidates=25, picks=25, boxes=4, seed=seed).splitlines()
    assert header.split()[-2:] == ["same", "picks"]
    assert row.split()[:2] == ["25", "25"]
    assert row.split()[-1] == "yes"


def test_more_picks_than_candidates_are_refused():
    with pytest.raises(ConfigError, match="--candidates 3 --picks 4"):
        bench_acquisition.benchmark_acquisition(candidates=3, picks=4, boxes=4, seed=0)


def test_plain_divergence_is_that_of_scipys_estimate():
    plain, data = bench_plain_crb, np.random.default_rng(0).gamma(2, 10, 30)
    places = 5 + 40 * (np.arange(500) + 0.5) / 500
    estimate = gaussian_kde(data, bw_method=3.0 / data.std(ddof=1))(places)
    mass = estimate.mean() * 40  # SciPy brings both to sum 1
    expected = entropy(np.ones(500), estimate) - np.log(mass)
    assert plain.divergence(data, 5.0, 45.0, 3.0, 500) == pytest.approx(expected, rel=1e-9)


def test_boxes_far_away_hold_fewer_points():
    frames = bench_acquisition.synthetic_detections(50, 8.0, 0)
    found = frames.detections
    distance = np.concatenate([d.boxes[:, 0] for d in found])
    points = np.concatenate([d.n_points for d in found])
    assert np.mean(points[distance < 20]) > 5 * np.mean(points[distance > 40])
    assert {int(label) for d in found for label in d.labels} == {0, 1, 2}
