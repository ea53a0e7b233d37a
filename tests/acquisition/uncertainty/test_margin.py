"""Margins by hand."""

import numpy as np
import pytest

from kecor.acquisition import Margin
from kecor.acquisition.uncertainty.margin import one_minus_margin
from kecor.errors import SelectionError
from kecor.structures import Budget, FrameSet
from tests.acquisition.uncertainty.test_entropy import boxes, logit


def test_the_margin_lies_between_the_two_likeliest_classes():
    found = boxes([0, 0], logit([[0.2, 0.6, 0.2], [0.3, 0.3, 0.3]]))
    np.testing.assert_allclose(1 - one_minus_margin(found), [0.4, 0], atol=1e-12)
    np.testing.assert_allclose(1 - one_minus_margin(boxes([0, 0], scores=[0.8, 0.3])), [0.6, 0.4])


def test_the_smallest_margins_come_first_and_frames_without_boxes_last():
    wide, narrow = logit([[0.9, 0.05, 0.05]]), logit([[0.45, 0.45, 0.1]])
    both = np.concatenate([wide, narrow])
    pool = FrameSet(
        ["a", "b", "c", "d"], detections=[boxes([0], wide), boxes(), boxes([0], narrow), boxes([0, 0], both)]
    )
    firsts = {"mean": "cdab", "max": "cdab", "sum": "dcab"}
    for aggregation, expected in firsts.items():
        selection = Margin(aggregation).select(pool, FrameSet([]), Budget(4), np.random.default_rng(0))
        assert "".join(pool.ids[selection.indices]) == expected
    np.testing.assert_allclose(selection.scores, [0.15, 0, 1, 1.15])


def test_no_detections_is_an_error():
    with pytest.raises(SelectionError, match="margin: the pool carries no detections"):
        Margin().select(FrameSet(["a"]), FrameSet([]), Budget(1), np.random.default_rng(0))
