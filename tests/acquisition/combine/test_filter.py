"""Two stages, by hand."""

import numpy as np
import pytest

from kecor.acquisition import Coreset, Entropy, Filter, validate_selection
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget
from tests.acquisition.worlds import take, world

POOL, LABELLED = world(24, seed=1), world(12, seed=2, prefix="l", labelled=True)
ENTROPY, CORESET = {"type": "entropy"}, {"type": "coreset"}
ORDER = Entropy().select(POOL, LABELLED, Budget(24), np.random.default_rng(0)).indices


def select(budget, by=ENTROPY, then=CORESET, **options):
    selection = Filter(by, then, **options).select(POOL, LABELLED, budget, np.random.default_rng(0))
    validate_selection(selection, POOL, budget, "filter")
    return selection


@pytest.mark.parametrize(("options", "kept"), [({"number": 9}, 9), ({"multiple": 2.5}, 10), ({"multiple": 1}, 4)])
def test_the_second_method_selects_among_the_best_of_the_first(options, kept):
    selection = select(Budget(4), **options)
    best = np.sort(ORDER[:kept])
    expected = Coreset().select(take(POOL, best), LABELLED, Budget(4), np.random.default_rng(0))
    assert selection.indices.tolist() == best[expected.indices].tolist()
    np.testing.assert_array_equal(selection.gains, expected.gains)
    assert selection.info == {"candidates": kept}


def test_a_multiple_of_a_budget_of_boxes_is_counted_in_boxes():
    budget = Budget(20, 0, 1)
    costs = budget.costs(POOL.n_boxes())[ORDER]
    kept = select(budget, multiple=2).info["candidates"]
    assert costs[: kept - 1].sum() < 40 <= costs[:kept].sum()
    assert len(select(budget, number=1).indices) > 1  # or the budget could not be used up


def test_the_same_method_twice_changes_nothing():
    assert select(Budget(5), then=ENTROPY, multiple=3).indices.tolist() == ORDER[:5].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "filter: give one of number and multiple"),
        ({"number": 3, "multiple": 2}, "filter: give one of"),
        ({"number": True}, r"acquisition\.number: .*got True"),
        ({"multiple": 0.5}, r"acquisition\.multiple: got 0.5; expected a number of at least 1"),
        ({"number": 2, "by": {"type": "none"}}, r"acquisition\.by\.type: unknown method 'none'"),
    ],
)
def test_what_cannot_be_is_an_error(options, message):
    with pytest.raises(ConfigError, match=message):
        select(Budget(1), **options)


def test_the_first_method_must_give_scores():
    with pytest.raises(SelectionError, match="random: returns no scores"):
        select(Budget(1), by={"type": "random"}, number=3)
