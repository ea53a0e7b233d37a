import pytest
from hypothesis import given
from hypothesis import strategies as st

from kecor.active.pool import Pool

IDS = [f"{i:06d}" for i in range(12)]


@given(st.permutations(IDS), st.lists(st.integers(0, 4), max_size=4))
def test_every_frame_is_either_labelled_or_not_after_any_moves(order, sizes):
    pool, left = Pool(IDS), list(order)
    for size in sizes:
        bought, left = left[:size], left[size:]
        pool.label(bought)
        assert pool.rounds[-1] == bought
        assert pool.labelled == order[: len(order) - len(left)]
        assert sorted(pool.labelled + pool.unlabelled) == IDS
        assert pool.unlabelled == sorted(left)
    assert Pool(IDS, pool.rounds).labelled == pool.labelled


@pytest.mark.parametrize("ids", [["000000"], ["000003", "000003"], ["nowhere"], ["000004", "nowhere"]])
def test_a_frame_that_cannot_be_bought_moves_nothing(ids):
    pool = Pool(IDS, [["000000"]])
    with pytest.raises(ValueError, match="|".join(ids)):
        pool.label(ids)
    assert pool.rounds == [["000000"]]
    assert len(pool.unlabelled) == 11


def test_a_split_that_names_a_frame_twice_is_refused():
    with pytest.raises(ValueError, match="more than once"):
        Pool(["a", "a"])
