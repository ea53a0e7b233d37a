"""A method on a random part of the pool."""

import numpy as np
import pytest

from kecor.acquisition import Entropy, Subsample, validate_selection
from kecor.errors import ConfigError
from kecor.structures import Budget, FrameSet
from tests.acquisition.worlds import take, world

POOL, LABELLED = world(24, seed=1), FrameSet([])
ENTROPY = {"type": "entropy"}


def select(budget, seed=0, pool=POOL, **options):
    selection = Subsample(ENTROPY, **options).select(pool, LABELLED, budget, np.random.default_rng(seed))
    validate_selection(selection, pool, budget, "subsample")
    return selection


def test_it_picks_the_best_of_what_it_drew_and_every_frame_is_drawn_as_often():
    rank = np.empty(24, int)
    rank[Entropy().select(POOL, LABELLED, Budget(24), np.random.default_rng(0)).indices] = np.arange(24)
    firsts = np.array([rank[select(Budget(1), seed, number=6).indices[0]] for seed in range(600)])
    assert firsts.max() <= 24 - 6  # the best of six is not among the worst five
    # the best frame is the first pick whenever it is drawn: 6 of 24 times
    assert abs((firsts == 0).sum() - 150) < 5 * np.sqrt(600 * 0.25 * 0.75)
    assert len(set(firsts)) > 5


def test_a_share_is_rounded_up_and_a_budget_can_always_be_used_up():
    assert select(Budget(2), fraction=0.26).info == {"candidates": 7}
    assert select(Budget(2), number=99).info == {"candidates": 24}
    assert (
        select(Budget(2), fraction=1).indices.tolist()
        == Entropy().select(POOL, LABELLED, Budget(2), None).indices.tolist()
    )
    assert len(select(Budget(10), number=3).indices) == 10
    boxes = select(Budget(30, 0, 1), number=1)
    assert POOL.n_boxes()[boxes.indices].sum() > 30 - 9


def test_what_is_drawn_does_not_depend_on_the_order_of_the_pool():
    shuffled = take(POOL, np.random.default_rng(1).permutation(24))
    for seed in range(5):
        first, second = select(Budget(4), seed, number=6), select(Budget(4), seed, shuffled, number=6)
        assert POOL.ids[first.indices].tolist() == shuffled.ids[second.indices].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "subsample: give one of number and fraction"),
        ({"number": 3, "fraction": 0.5}, "subsample: give one of"),
        ({"number": 0}, r"acquisition\.number: .*got 0"),
        ({"number": 2.5}, r"acquisition\.number: .*got 2.5"),
        ({"fraction": 0}, r"acquisition\.fraction: .*got 0"),
        ({"fraction": 1.5}, r"acquisition\.fraction: .*got 1.5"),
    ],
)
def test_what_cannot_be_is_an_error(options, message):
    with pytest.raises(ConfigError, match=message):
        Subsample(ENTROPY, **options)
