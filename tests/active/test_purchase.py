"""A method of a user's own cannot damage a run: it gets read-only arrays, and its failures are named."""

import numpy as np
import pytest

from kecor.active.selection.purchase import choose
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


class Answer:
    """A method that gives back whatever it is made with."""

    needs = frozenset({"detections"})

    def __init__(self, answer, terms=None):
        self.answer = answer
        self.terms = {} if terms is None else terms

    def select(self, pool, labelled, budget, rng):
        return self.answer


ONE = np.ones(1)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "returned a NoneType"),
        (Selection([[1], [2, 3]], ONE), "ValueError"),
        (Selection(np.array([0.5]), ONE), "must be .k,. integers"),
        (Selection(np.array([99]), ONE), "index 99 is outside the pool of 8 frames"),
        (Selection(np.array([-1]), ONE), "index -1 is outside"),
        (Selection(np.array([1, 1]), np.ones(2)), "was picked more than once"),
        (Selection(np.arange(4), np.ones(4)), "over the budget of 3"),
        (Selection(np.array([1]), np.array([np.nan])), "gains are not finite"),
        (Selection(np.array([1]), np.array([1j])), "gains must be .1,. numbers"),
        (Selection(np.array([1]), "?"), "gains must be .1,. numbers"),
        (Selection(np.array([1]), ONE, info=[1]), "info must be a dict, got a list"),
        (Selection(np.array([1]), ONE, info={"a": object()}), "info cannot be written as JSON"),
        (Selection(np.array([1]), ONE, info={"a": float("inf")}), "info cannot be written as JSON"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_named(answer, message):
    with pytest.raises(SelectionError, match=rf"^mine: .*{message}") as caught:
        choose("mine", Answer(answer), POOL, LABELLED, Budget(3), np.random.default_rng(0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("terms", [{"a": "b"}, {1: ("b", "c")}, {"a": ("b", 1)}, ["a"], "a"])
def test_terms_of_another_form_are_named(terms):
    with pytest.raises(SelectionError, match="mine: terms: got"):
        choose("mine", Answer(Selection([1], ONE), terms), POOL, LABELLED, Budget(3), np.random.default_rng(0))
