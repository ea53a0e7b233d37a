from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from kecor.ops.assignment import maximum_weight_assignment


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 1000]))
def test_total_weight_is_the_greatest_of_all_permutations(n, seed, largest):
    weights = np.random.default_rng(seed).integers(0, largest, (n, n))
    columns = maximum_weight_assignment(weights)
    assert sorted(columns) == list(range(n))
    assert weights[np.arange(n), columns].sum() == max(weights[np.arange(n), p].sum() for p in permutations(range(n)))


@pytest.mark.parametrize("n", [1, 30, 120])
def test_equals_scipy_where_the_best_assignment_is_unique(n):
    rng = np.random.default_rng(n)
    weights = rng.integers(0, 10**9, (n, n))
    assert maximum_weight_assignment(weights).tolist() == linear_sum_assignment(weights, maximize=True)[1].tolist()


def test_among_equals_the_first_row_takes_the_first_column():
    assert maximum_weight_assignment(np.full((3, 3), 7)).tolist() == [0, 1, 2]
    # row 1 can only have column 0, so row 0 moves on to its next best equal
    assert maximum_weight_assignment(np.array([[5, 5, 0], [5, 0, 0], [0, 0, 0]])).tolist() == [1, 0, 2]
