"""Mutual information by hand and by brute force."""

import math

import numpy as np
import pytest

from kecor.acquisition import Bald
from kecor.acquisition.dropout.bald import mutual_information
from kecor.structures import Budget, FrameSet
from tests.acquisition.uncertainty.test_entropy import logit

SURE = [0.999999, 1e-9, 1e-9]


def rolled(*steps):
    """(1, P, 3) logits of passes that are sure of a class each."""
    return logit([[np.roll(SURE, step) for step in steps]])


def test_passes_that_are_sure_of_other_classes_say_the_most():
    assert mutual_information(rolled(0, 0, 0, 0)) == pytest.approx(0, abs=1e-6)
    assert mutual_information(rolled(0, 1)) == pytest.approx(math.log(2), abs=1e-6)
    assert mutual_information(rolled(0, 1, 2)) == pytest.approx(math.log(3), abs=1e-6)
    assert mutual_information(rolled(0, 0, 0, 1)) == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))


def test_doubt_that_all_passes_share_says_nothing():
    assert mutual_information(np.zeros((1, 5, 3))) == pytest.approx(0, abs=1e-12)


def test_of_one_class_the_doubt_is_whether_there_is_an_object():
    logits = logit([[[0.9], [0.1]]])
    expected = math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    assert mutual_information(logits) == pytest.approx(expected)


def test_brute_force():
    logits = np.random.default_rng(0).normal(0, 3, (10, 6, 4))
    for row, got in zip(logits, mutual_information(logits)):
        shares = []
        for one in row:
            p = [1 / (1 + math.exp(-z)) for z in one]
            shares.append([v / sum(p) for v in p])
        mean = [sum(s[k] for s in shares) / 6 for k in range(4)]
        entropies = [-sum(v * math.log(v) for v in s) for s in shares]
        assert got == pytest.approx(-sum(v * math.log(v) for v in mean) - sum(entropies) / 6, rel=1e-9)
        assert got > 0


def test_extreme_logits_are_finite():
    assert np.isfinite(mutual_information(np.array([[[1e4, -1e4], [-1e4, 1e4]], [[-1e4, -1e4], [-1e4, -2e4]]]))).all()


def test_frames_the_passes_disagree_on_come_first():
    logits = np.concatenate([rolled(0, 0, 0), rolled(0, 1, 2), rolled(0, 1, 1)])[:, None]
    pool = FrameSet(list("abc"), {"pass_logits": logits, "roi_mask": np.ones((3, 1), bool)})
    selection = Bald().select(pool, FrameSet([]), Budget(3), np.random.default_rng(0))
    assert "".join(pool.ids[selection.indices]) == "bca"
