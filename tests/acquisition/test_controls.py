"""The controls: frames with the fewest boxes, and random frames stratified by boxes."""

import numpy as np
import pytest

from kecor.acquisition import FewestBoxes, RandomByCount
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, FrameSet
from tests.acquisition.uncertainty.test_entropy import boxes

COUNTS = [3, 0, 5, 1, 4, 0, 2, 9]


def pool_of(counts):
    return FrameSet([f"{i:03d}" for i in range(len(counts))], detections=[boxes([0] * n) for n in counts])


def picks(method, pool, budget, seed=0):
    return method.select(pool, FrameSet([]), budget, np.random.default_rng(seed)).indices.tolist()


def test_the_fewest_boxes_come_first_and_ties_by_id():
    pool = pool_of(COUNTS)
    assert picks(FewestBoxes(), pool, Budget(5)) == [1, 5, 3, 6, 0]
    assert picks(FewestBoxes(), pool, Budget(14, 3, 1)) == [1, 5, 3]  # 3 + 3 + 4, and 5 do not fit
    expected = np.array([[0.2, 3.0], [0.1, 0.1], [1.0, 0.0]])
    calibrated = FrameSet(["a", "b", "c"], {"expected_counts": expected}, [boxes([0] * 9), boxes([0] * 8), boxes()])
    assert picks(FewestBoxes(), calibrated, Budget(3)) == [1, 2, 0]


@pytest.mark.parametrize("seed", range(20))
def test_each_turn_takes_one_frame_of_every_stratum(seed):
    counts = np.random.default_rng(seed).integers(0, 30, 40)
    pool = pool_of(counts)
    stratum = np.empty(40, int)
    stratum[np.lexsort((pool.ids, counts))] = np.arange(40) // 8
    found = picks(RandomByCount(strata=5), pool, Budget(40), seed)
    assert sorted(found) == list(range(40))
    for turn in range(8):
        assert sorted(stratum[found[5 * turn : 5 * turn + 5]]) == list(range(5))


def test_every_frame_is_as_likely_as_any_other():
    pool, times = pool_of(range(20)), np.zeros(20)
    for seed in range(2000):
        times[picks(RandomByCount(strata=4), pool, Budget(4), seed)] += 1
    assert np.abs(times - 400).max() < 5 * np.sqrt(400 * 0.8)


def test_the_mean_number_of_boxes_varies_less_than_of_random_frames():
    pool = pool_of(np.random.default_rng(1).poisson(6, 200))
    counts = pool.n_boxes()
    means = [counts[picks(RandomByCount(), pool, Budget(20), seed)].mean() for seed in range(200)]
    plain = [np.random.default_rng(seed).choice(counts, 20, replace=False).mean() for seed in range(200)]
    assert np.mean(means) == pytest.approx(counts.mean(), abs=0.1)
    assert np.std(means) < 0.5 * np.std(plain)


def test_more_strata_than_frames():
    assert sorted(picks(RandomByCount(strata=100), pool_of(COUNTS), Budget(8))) == list(range(8))


def test_what_makes_no_sense_is_named():
    with pytest.raises(ConfigError, match="strata"):
        RandomByCount(strata=0)
    for method, name in ((FewestBoxes(), "fewest_boxes"), (RandomByCount(), "random_by_count")):
        with pytest.raises(SelectionError, match=f"{name}: the pool carries no detections"):
            picks(method, FrameSet(["a"]), Budget(1))
