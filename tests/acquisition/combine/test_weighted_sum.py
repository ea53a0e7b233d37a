"""Weighted sums of scores, by hand."""

import numpy as np
import pytest

from kecor.acquisition import WeightedSum, build_acquisition, validate_selection
from kecor.acquisition.combine.weighted_sum import ranks, z_scores
from kecor.errors import ConfigError
from kecor.structures import Budget
from tests.acquisition.worlds import world

POOL, LABELLED = world(24, seed=1), world(12, seed=2, prefix="l", labelled=True)
ENTROPY, MARGIN, CORESET = {"type": "entropy"}, {"type": "margin"}, {"type": "coreset"}


def select(section, amount=24):
    selection = build_acquisition(section).select(POOL, LABELLED, Budget(amount), np.random.default_rng(0))
    validate_selection(selection, POOL, Budget(amount), "weighted_sum")
    return selection


def test_normalisations_by_hand():
    np.testing.assert_allclose(ranks(np.array([5.0, -1, 900, 5, 0])), [2.5 / 4, 0, 1, 2.5 / 4, 0.25])
    np.testing.assert_allclose(z_scores(np.array([1.0, 3, 3, 1])), [-1, 1, 1, -1])
    for one in (ranks, z_scores):
        assert one(np.zeros(0)).shape == (0,)
        assert one(np.array([7.0])).tolist() == [0]
        assert len(set(one(np.full(4, 1e9)).tolist())) == 1


@pytest.mark.parametrize(("normalise", "function"), [("rank", ranks), ("z", z_scores)])
def test_scores_are_normalised_weighted_and_added(normalise, function):
    selection = select(
        {"type": "weighted_sum", "methods": [ENTROPY, CORESET], "weights": [2, -0.5], "normalise": normalise}
    )
    expected = 2 * function(select(ENTROPY).scores) - 0.5 * function(select(CORESET).scores)
    np.testing.assert_allclose(selection.scores, expected, rtol=1e-9)
    assert selection.indices.tolist() == np.lexsort((POOL.ids, -selection.scores)).tolist()
    np.testing.assert_array_equal(selection.gains, selection.scores[selection.indices])


def test_weights_are_one_by_default_and_sums_can_be_nested():
    plain = select({"type": "weighted_sum", "methods": [ENTROPY, MARGIN]})
    assert (
        plain.indices.tolist()
        == select({"type": "weighted_sum", "methods": [ENTROPY, MARGIN], "weights": [3, 3]}).indices.tolist()
    )
    one = {"type": "weighted_sum", "methods": [ENTROPY]}
    assert select(one).indices.tolist() == select(ENTROPY).indices.tolist()
    assert len(select({"type": "power", "of": one}, 5).indices) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), r"acquisition\.methods: got \[\]; expected a list of sections"),
        ((ENTROPY,), r"acquisition\.methods: got .*; expected a list"),
        (([ENTROPY, "margin"],), r"acquisition\.methods\[1\]: got 'margin'; expected a section"),
        (([ENTROPY], [1, 2]), r"acquisition\.weights: got \[1, 2\]; expected a list of 1 numbers"),
        (([ENTROPY, MARGIN], [1, "2"]), r"acquisition\.weights\[1\]: got '2'; expected a number"),
        (([ENTROPY], None, "softmax"), r"acquisition\.normalise: got 'softmax'; expected one of: rank, z"),
    ],
)
def test_what_cannot_be_is_an_error(arguments, message):
    with pytest.raises(ConfigError, match=message):
        WeightedSum(*arguments)
