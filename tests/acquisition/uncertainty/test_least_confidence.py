"""Least confidence by hand."""

import numpy as np
import pytest

from kecor.acquisition import LeastConfidence
from kecor.acquisition.uncertainty.least_confidence import box_uncertainties
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, Detections, FrameSet
from tests.acquisition.uncertainty.test_entropy import boxes, logit


def test_a_box_is_doubted_by_what_its_likeliest_class_lacks():
    found = boxes([0, 0], logit([[0.6, 0.2, 0.2], [0.3, 0.3, 0.3]]))
    np.testing.assert_allclose(box_uncertainties(found), [0.4, 2 / 3])
    np.testing.assert_allclose(box_uncertainties(boxes([0, 0], scores=[0.8, 0.3])), [0.2, 0.3])  # no logits: yes or no
    np.testing.assert_allclose(box_uncertainties(boxes([0], logit([[0.9]]))), [0.1])


@pytest.mark.parametrize(
    ("aggregation", "scores"), [("mean", [0.3, 0.4, 0]), ("sum", [0.6, 0.4, 0]), ("max", [0.5, 0.4, 0])]
)
def test_frames_go_by_the_aggregate_and_ties_by_id(aggregation, scores):
    found = [boxes([0, 0], scores=[0.9, 0.5]), boxes([0], scores=[0.6]), boxes(), boxes()]
    pool = FrameSet(["a", "b", "d", "c"], detections=found)
    selection = LeastConfidence(aggregation).select(pool, FrameSet([]), Budget(4), np.random.default_rng(0))
    np.testing.assert_allclose(selection.scores, [*scores, 0])
    best = ["a", "b"] if scores[0] > scores[1] else ["b", "a"]
    assert pool.ids[selection.indices].tolist() == [*best, "c", "d"]
    np.testing.assert_array_equal(selection.gains, selection.scores[selection.indices])


def test_what_cannot_be_is_an_error():
    with pytest.raises(ConfigError, match=r"acquisition\.aggregation: .*median"):
        LeastConfidence("median")
    pool = FrameSet(["a", "b"], detections=[boxes(), Detections(np.ones((1, 7)), np.array([1.5]), np.array([0]))])
    with pytest.raises(SelectionError, match=r"least_confidence: frame 'b': .*score"):
        LeastConfidence().select(pool, FrameSet([]), Budget(1), np.random.default_rng(0))
