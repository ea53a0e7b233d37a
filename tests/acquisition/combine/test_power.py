"""Power sampling: the distribution of what is drawn."""

import numpy as np
import pytest

from kecor.acquisition import Power
from kecor.errors import ConfigError, SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection

SCORES = np.array([4.0, 1, 0, 2, 3, 0])
POOL = FrameSet(["a", "b", "c", "d", "e", "f"])


class Given:
    """Scores as they are given."""

    needs = frozenset()
    scores = SCORES

    def select(self, pool, labelled, budget, rng):
        return Selection(np.zeros(0, int), np.zeros(0), self.scores)


@pytest.fixture(autouse=True)
def given(monkeypatch):
    monkeypatch.setitem(ACQUISITIONS.module_dict, "given", Given)


def draw(beta, seeds, k=6):
    method = Power({"type": "given"}, beta)
    picks = [method.select(POOL, FrameSet([]), Budget(k), np.random.default_rng(seed)).indices for seed in seeds]
    return np.array(picks)


@pytest.mark.parametrize("beta", [0, 0.5, 1, 3])
def test_frames_are_drawn_in_proportion_to_a_power_of_their_scores_without_replacement(beta):
    n = 4000
    picks = draw(beta, range(n), k=2)
    weight = np.where(SCORES > 0, np.maximum(SCORES, 1e-9) ** beta, 0)
    share = weight / weight.sum()
    first = np.bincount(picks[:, 0], minlength=6)
    assert (abs(first - n * share) <= 5 * np.sqrt(n * share * (1 - share))).all()
    # the second: of what is left, again in proportion
    second = sum(share[i] * np.where(np.arange(6) == i, 0, share) / (1 - share[i]) for i in range(6))
    seen = np.bincount(picks[:, 1], minlength=6)
    assert (abs(seen - n * second) <= 5 * np.sqrt(n * second * (1 - second))).all()


def test_frames_of_score_zero_come_last_in_either_order():
    picks = draw(1, range(60))
    assert (np.sort(picks[:, 4:], 1) == [2, 5]).all()
    assert 10 < (picks[:, 4] == 2).sum() < 50


def test_a_large_power_goes_by_the_scores():
    assert (draw(1e4, range(20), k=4) == [0, 4, 3, 1]).all()
    method = Power({"type": "given"}, 1e4)
    selection = method.select(POOL, FrameSet([]), Budget(3), np.random.default_rng(0))
    assert selection.gains.tolist() == [4, 3, 2]
    np.testing.assert_array_equal(selection.scores, SCORES)


def test_what_is_drawn_does_not_depend_on_the_order_of_the_pool(monkeypatch):
    expected = [POOL.ids[picks].tolist() for picks in draw(1, range(5))]
    order = np.array([3, 0, 5, 1, 4, 2])
    monkeypatch.setattr(Given, "scores", SCORES[order])
    pool, method = FrameSet(POOL.ids[order]), Power({"type": "given"})
    for seed in range(5):
        picks = method.select(pool, FrameSet([]), Budget(6), np.random.default_rng(seed)).indices
        assert pool.ids[picks].tolist() == expected[seed]


def test_what_cannot_be_is_an_error(monkeypatch):
    with pytest.raises(ConfigError, match=r"acquisition\.beta: .*got -1"):
        Power({"type": "given"}, -1)
    monkeypatch.setattr(Given, "scores", SCORES - 1)
    with pytest.raises(SelectionError, match="power: given gives frame 'c' the score -1; expected scores"):
        draw(1, [0])
