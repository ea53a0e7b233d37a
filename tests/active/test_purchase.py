"""A method of a user's own cannot damage a run: it gets read-only arrays, and its failures are named."""

import numpy as np
import pytest

from kecor.active.purchase import choose
from kecor.errors import SelectionError
from kecor.structures import Budget, Selection
from tests.acquisition.worlds import world

POOL, LABELLED = world(8), world(4, 1, "l", labelled=True)


class Method:
    needs = frozenset({"detections"})
    terms = {"taken": ("Frames taken", "how many")}  # noqa: RUF012

    def __init__(self, act):
        self.act = act

    def select(self, pool, labelled, budget, rng):
        self.act(pool, labelled)
        return Selection(np.array([2, 0]), np.ones(2), info={"taken": 2})


def ask(act):
    return choose("mine", Method(act), POOL, LABELLED, Budget(3), np.random.default_rng(0))


def test_the_record_names_what_was_chosen_and_explains_its_info():
    record = ask(lambda pool, labelled: None)
    assert record["ids"] == POOL.ids[[2, 0]].tolist()
    assert record["terms"] == {"taken": ["Frames taken", "how many"]}


def overwrite(array):
    array[...] = 0


@pytest.mark.parametrize(
    "act",
    [
        lambda pool, labelled: overwrite(pool.feats["roi_features"]),
        lambda pool, labelled: overwrite(labelled.feats["targets"]),
        lambda pool, labelled: overwrite(pool.detections[1].boxes),
        lambda pool, labelled: overwrite(pool.ids),
    ],
)
def test_arrays_cannot_be_written_to(act):
    before = POOL.feats["roi_features"].copy()
    with pytest.raises(SelectionError, match=r"mine: ValueError: .*read-only .*test_purchase.py:\d+\)"):
        ask(act)
    np.testing.assert_array_equal(POOL.feats["roi_features"], before)


def test_replacing_what_the_frame_set_holds_does_not_reach_the_run():
    def act(pool, labelled):
        pool.ids = pool.ids[::-1]
        pool.feats.clear()
        pool.detections.clear()

    before = POOL.ids.tolist()
    assert ask(act)["ids"] == [before[2], before[0]]
    assert POOL.feats
    assert len(POOL.detections) == len(POOL)


def leave(pool, labelled):
    raise SystemExit(3)


def divide(pool, labelled):
    return 1 / 0


@pytest.mark.parametrize(("act", "name"), [(leave, "SystemExit: 3"), (divide, "ZeroDivisionError")])
def test_exits_and_exceptions_are_named_with_the_line(act, name):
    with pytest.raises(SelectionError, match=rf"mine: {name}.*test_purchase.py:\d+"):
        ask(act)
