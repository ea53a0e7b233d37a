import numpy as np
import pytest

from kecor.evaluation.average_precision import r11, r40, recall_thresholds, sampled_curve


@pytest.mark.parametrize("n_gt", [1, 2, 7, 39, 40, 41, 100, 999, 12345])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_thresholds_stand_at_the_recalls_nearest_to_the_positions(n_gt, share):
    scores = np.random.default_rng(n_gt).permutation(np.arange(1.0, n_gt + 1))[: max(int(share * n_gt), 1)]
    thresholds = recall_thresholds(scores, n_gt)
    assert 1 <= len(thresholds) <= 41
    assert (np.diff(thresholds) < 0).all()
    assert thresholds[-1] == scores.min()
    if n_gt >= 100:
        recall = np.array([(scores >= t).sum() for t in thresholds[:-1]]) / n_gt
        assert np.abs(recall - np.arange(len(recall)) / 40).max() <= max(0.5 / n_gt + 1e-9, 1 / n_gt)


def test_no_score_no_threshold():
    assert len(recall_thresholds(np.zeros(0), 5)) == 0


def test_curve_takes_the_best_beyond_and_is_zero_where_not_reached():
    curve = sampled_curve(np.array([1, 1, 3]), np.array([1, 2, 4]))
    np.testing.assert_allclose(curve[:4], [1, 0.75, 0.75, 0])
    assert curve.shape == (41,)
    assert r40(curve) == pytest.approx(100 * 1.5 / 40)
    assert r11(curve) == pytest.approx(100 / 11)


def test_nothing_counted_is_zero_not_nan():
    np.testing.assert_array_equal(sampled_curve(np.zeros(2), np.zeros(2)), 0)
