"""Entropy of predicted class counts by hand."""

import numpy as np
import pytest

from kecor.acquisition import LabelEntropy
from kecor.errors import SelectionError
from kecor.structures import Budget, FrameSet
from tests.acquisition.uncertainty.test_entropy import boxes


def test_frames_go_by_how_mixed_their_classes_are_and_not_by_scores():
    found = [boxes([0] * 9), boxes([0, 0, 1]), boxes(), boxes([2, 1]), boxes([0, 1, 2])]
    pool = FrameSet(["a", "b", "c", "d", "e"], detections=found)
    selection = LabelEntropy().select(pool, FrameSet([]), Budget(4), np.random.default_rng(0))
    assert "".join(pool.ids[selection.indices]) == "edba"
    thirds = np.log(3) - 2 / 3 * np.log(2)
    np.testing.assert_allclose(selection.scores, [0, thirds, 0, np.log(2), np.log(3)])


def test_no_detections_is_an_error():
    with pytest.raises(SelectionError, match="label_entropy: the pool carries no detections"):
        LabelEntropy().select(FrameSet(["a"]), FrameSet([]), Budget(1), np.random.default_rng(0))
