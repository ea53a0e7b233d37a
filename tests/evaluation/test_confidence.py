"""Shown are the detections that are probably right: isotonic fit against SciPy's, thresholds on known scores."""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from kecor.evaluation.confidence import isotonic, score_thresholds
from kecor.structures import Detections


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_is_scipys(seed):
    rng = np.random.default_rng(seed)
    values, weights = rng.uniform(0, 1, 60) + np.linspace(0, 1, 60), rng.integers(1, 5, 60).astype(float)
    np.testing.assert_allclose(isotonic(values, weights), isotonic_regression(values, weights=weights).x)
    assert isotonic(np.zeros(0), np.zeros(0)).shape == (0,)


def frame(scores, right, label=0):
    """A detection for each score, 20 m apart; the right ones lie 10 cm from a true box."""
    boxes = np.array([[20.0 * i, 0, 0, 4, 2, 1.5, 0] for i in range(len(scores))])
    truth = boxes[np.asarray(right, bool)] + [0.1, 0, 0, 0, 0, 0, 0]
    names = np.full(len(truth), "Car" if label == 0 else "Van")
    return Detections(boxes, np.asarray(scores), np.full(len(scores), label)), (truth, names)


def test_the_threshold_is_where_enough_detections_are_right():
    scores = np.linspace(0.01, 0.8, 80)
    right = np.concatenate([np.zeros(40), np.tile([1, 0], 10), np.ones(20)])  # 0 %, then 50 %, then 100 %
    found, truth = frame(scores, right)
    for confidence, first in ((0.2, 40), (0.5, 40), (0.6, 60), (1.0, 60)):
        threshold = score_thresholds([found], [truth], ["Car", "Van"], confidence)[0]
        assert threshold == pytest.approx(scores[first])
    assert score_thresholds([found], [truth], ["Car", "Van"], 0.0)[0] == pytest.approx(scores[0])


def test_a_class_that_is_rare_in_the_labelled_frames_is_not_calibrated():
    found, truth = frame([0.9] * 10, np.zeros(10), label=1)
    assert score_thresholds([found], [truth], ["Car", "Van"], 0.3).tolist() == [0.3, 0.3]
    assert score_thresholds([found] * 2, [truth] * 2, ["Car", "Van"], 0.3).tolist() == [0.3, np.inf]
    assert score_thresholds([], [], ["Car"], 0.4).tolist() == [0.4]
