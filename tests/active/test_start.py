"""The frames of round 0: drawn by the seed, or spread evenly over sequences and time."""

from collections import Counter

import numpy as np
import pytest

from kecor.active.selection.start import spread

PLACES = {f"{s}/{i:02d}": (s, float(i)) for s, n in (("a", 30), ("b", 30), ("c", 3)) for i in range(n)}


def chosen(n, frames=tuple(PLACES), places=PLACES, seed=0):
    return spread(frames, places, n, np.random.default_rng(seed))


@pytest.mark.parametrize(("n", "counts"), [(6, [2, 2, 2]), (9, [3, 3, 3]), (13, [5, 5, 3]), (63, [30, 30, 3])])
def test_every_sequence_gives_as_many_as_it_can(n, counts):
    ids = chosen(n)
    assert len(set(ids)) == n
    assert sorted(Counter(i[0] for i in ids).values(), reverse=True) == counts


def test_the_frames_of_a_sequence_are_evenly_spaced_in_time():
    times = sorted(PLACES[i][1] for i in chosen(9) if i[0] == "a")
    np.testing.assert_allclose(times, np.array([1, 3, 5]) * 29 / 6, atol=0.5)
    late = {f"a/{i}": ("a", float(t)) for i, t in enumerate([0, 1, 2, 3, 4, 5, 100])}
    assert "a/6" in chosen(2, tuple(late), late)  # time counts, not the number of frames


def test_chance_alone_decides_which_sequence_gives_more():
    firsts = {chosen(1, seed=seed)[0][0] for seed in range(20)}
    assert firsts == {"a", "b", "c"}
    assert chosen(7, seed=3) == chosen(7, tuple(PLACES)[::-1], seed=3)


def test_frames_without_a_sequence_are_spread_in_their_order():
    frames = [f"{i:03d}" for i in range(100)]
    numbers = sorted(int(i) for i in chosen(4, frames, {}))
    np.testing.assert_allclose(numbers, np.array([1, 3, 5, 7]) * 99 / 8, atol=0.5)
