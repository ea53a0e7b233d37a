"""Neighbours in a sequence are never both bought, whatever the method; the budget is spent all the same."""

import numpy as np
import pytest

from kecor.acquisition import build_acquisition
from kecor.active.selection.spacing import Neighbours, places_of, select_spaced
from kecor.structures import Budget
from tests.acquisition.worlds import world

POOL, LABELLED = world(24), world(6, 1, "l", labelled=True)
PLACES = {name: (f"drive_{i // 12}", 0.5 * (i % 12)) for i, name in enumerate(POOL.ids.tolist())}


class Drives:
    """Three frames of two drives; one has no time stamp, one no drive."""

    def sequence(self, frame_id):
        return {"a": "x", "b": "x"}.get(frame_id)

    def timestamp(self, frame_id):
        return {"a": 7.5}.get(frame_id)


def select(method, amount, gap, taken=(), places=PLACES):
    def ask(pool, budget):
        return method.select(pool, LABELLED, budget, np.random.default_rng(0))

    return select_spaced(ask, POOL, Budget(amount), Neighbours(places, gap, taken))


def test_places_are_seconds_or_numbers_and_frames_without_a_sequence_have_none():
    assert places_of(Drives(), ["c", "a", "b"]) == {"a": ("x", 7.5), "b": ("x", 2.0)}


@pytest.mark.parametrize("name", ["random", "entropy", "coreset", "kecor"])
def test_picks_of_a_sequence_are_the_gap_apart(name):
    method = build_acquisition({"type": name})
    picked = select(method, 7, 1.2).indices
    assert len(picked) == len(set(picked.tolist())) == 7
    places = [PLACES[POOL.ids[i]] for i in picked]
    for i, (drive, time) in enumerate(places):
        assert all(other != drive or abs(time - t) >= 1.2 for other, t in places[:i])


def test_a_method_that_ranks_frames_gives_its_best_that_are_no_neighbours():
    method = build_acquisition({"type": "entropy"})
    scores = method.select(POOL, LABELLED, Budget(1), np.random.default_rng(0)).scores
    expected = []
    for i in np.lexsort((POOL.ids, -scores)):  # brute force
        drive, time = PLACES[POOL.ids[i]]
        if all(PLACES[POOL.ids[j]][0] != drive or abs(PLACES[POOL.ids[j]][1] - time) >= 1.2 for j in expected):
            expected.append(int(i))
    assert select(method, 5, 1.2).indices.tolist() == expected[:5]


def test_labelled_neighbours_are_avoided_and_the_search_ends_when_nothing_is_left():
    method, first = build_acquisition({"type": "random"}), POOL.ids[0]
    picked = select(method, 24, 100.0, taken=[str(first)]).indices
    assert len(picked) == 1
    assert PLACES[POOL.ids[picked[0]]][0] == "drive_1"
    assert len(select(method, 24, 100.0, places={}).indices) == 24
    assert len(select(method, 0, 1.0).indices) == 0
