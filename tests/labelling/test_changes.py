"""What annotators did with pre-labels, against edits whose kinds are known."""

import numpy as np
import pytest

from kecor.labelling.changes import compare_with_prelabels
from tests.labelling.cases import labelled

CAR = ("Car", 10.0, 2.0, -1.0, 4.0, 1.7, 1.5, 0.3)
FAR = ("Car", 30.0, -5.0, -1.0, 4.0, 1.7, 1.5, -3.1415)
WALKER = ("Pedestrian", 12.0, 7.0, -0.8, 0.8, 0.6, 1.7, 0.0)


def edited(row, **more):
    """A row with other values."""
    values = dict(zip(("name", "x", "y", "z", "dx", "dy", "dz", "heading"), row))
    return tuple({**values, **more}.values())


def counts(before, after, tolerance=1e-4):
    changes = compare_with_prelabels({"a": labelled(*before)}, {"a": labelled(*after)}, tolerance)
    return {kind: number for kind, number in changes["a"].counts().items() if number}


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        ([CAR, FAR, WALKER], {"kept": 3}),
        ([WALKER, CAR, FAR], {"kept": 3}),
        ([CAR, FAR], {"kept": 2, "deleted": 1}),
        ([], {"deleted": 3}),
        ([CAR, FAR, WALKER, edited(CAR, x=50.0)], {"kept": 3, "added": 1}),
        ([edited(CAR, x=10.5), FAR, WALKER], {"kept": 2, "moved": 1}),
        ([edited(CAR, dx=4.4), FAR, WALKER], {"kept": 2, "moved": 1}),
        ([edited(CAR, heading=0.3 - np.pi), FAR, WALKER], {"kept": 2, "moved": 1}),
        ([CAR, edited(FAR, heading=3.14168), WALKER], {"kept": 3}),
        ([edited(CAR, name="Van"), FAR, WALKER], {"kept": 2, "renamed": 1}),
        ([edited(CAR, x=13.0), FAR, WALKER], {"kept": 2, "added": 1, "deleted": 1}),
        ([CAR, CAR, FAR, WALKER], {"kept": 3, "added": 1}),
        # a kept box stays kept although another was deleted on one side of it and one added on the other
        ([CAR, edited(CAR, x=12.0), FAR, WALKER], {"kept": 3, "added": 1}),
    ],
)
def test_kinds_of_changes(after, wanted):
    assert counts([CAR, FAR, WALKER], after) == wanted


def test_a_kept_box_between_a_deleted_and_an_added_one():
    before = [CAR, edited(CAR, x=8.5)]
    assert counts(before, [CAR, edited(CAR, x=11.5)]) == {"kept": 1, "added": 1, "deleted": 1}


def test_rounding_is_no_change():
    before = [edited(row, x=row[1] + 0.004999) for row in (CAR, FAR, WALKER)]
    rounded = [(row[0], *np.round(row[1:], 2)) for row in before]
    assert counts(before, rounded, 0.006) == {"kept": 3}
    assert counts(before, rounded, 1e-4) == {"moved": 3}


def test_rows_name_the_boxes():
    changes = compare_with_prelabels(
        {"a": labelled(CAR, FAR, WALKER)}, {"a": labelled(edited(WALKER, x=12.1), CAR, edited(CAR, x=60.0))}
    )["a"]
    assert changes.kept.tolist() == [[0, 1]]
    assert changes.moved.tolist() == [[2, 0]]
    assert (changes.added.tolist(), changes.deleted.tolist()) == ([2], [1])


def test_frames_without_prelabels_have_only_added_boxes():
    changes = compare_with_prelabels({"b": labelled(CAR)}, {"a": labelled(CAR, FAR), "c": labelled()})
    assert [of.counts()["added"] for of in changes.values()] == [2, 0]
    assert "b" not in changes
