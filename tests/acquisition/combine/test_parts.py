"""Parts of methods: how they are built and checked, and that positions in a part of the pool are never mistaken for
positions in the pool."""

import numpy as np
import pytest

from kecor.acquisition import build_acquisition
from kecor.acquisition.combine import parts as module
from kecor.acquisition.combine.parts import Part, RowView, first_worth, take_rows
from kecor.errors import ConfigError, SelectionError
from kecor.ntk import RoiFrames
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection
from tests.acquisition.worlds import take, world

POOL, LABELLED = world(24, seed=1), world(12, seed=2, prefix="l", labelled=True)
ENTROPY, RANDOM, CORESET = {"type": "entropy"}, {"type": "random"}, {"type": "coreset"}


class Spy:
    """Picks the last two of what it sees, and remembers their ids and all that belongs to them."""

    needs = frozenset({"detections", "embedding"})

    def select(self, pool, labelled, budget, rng):
        Spy.seen, Spy.labelled = pool, labelled
        picks = np.arange(len(pool))[-2:]
        return Selection(picks, np.array([2.0, 1.0]), np.arange(len(pool), dtype=float), {"spy": 1})


@pytest.fixture
def spy(monkeypatch):
    monkeypatch.setitem(ACQUISITIONS.module_dict, "spy", Spy)
    return {"type": "spy"}


@pytest.mark.parametrize(
    "outer",
    [
        {"type": "subsample", "number": 9},
        {"type": "filter", "by": ENTROPY, "number": 9},
        {"type": "filter", "by": CORESET, "multiple": 3},
        {"type": "subsample", "fraction": 0.9, "then": {"type": "filter", "by": ENTROPY, "number": 9}},
    ],
    ids=str,
)
def test_positions_are_those_of_the_whole_pool_in_any_order(outer, spy):
    nested = {**outer, "then": {**outer["then"], "then": spy} if "then" in outer else spy}
    shuffled = take(POOL, np.random.default_rng(2).permutation(24))
    shuffled.meta["number"] = np.arange(24)
    selection = build_acquisition(nested).select(shuffled, LABELLED, Budget(2), np.random.default_rng(0))
    seen = Spy.seen
    assert 2 <= len(seen) <= 9
    assert Spy.labelled is LABELLED
    rows = [shuffled.ids.tolist().index(frame) for frame in seen.ids]
    assert shuffled.ids[selection.indices].tolist() == seen.ids[-2:].tolist()
    assert selection.gains.tolist() == [2, 1]
    assert selection.scores is None
    assert selection.info["spy"] == 1
    np.testing.assert_array_equal(seen.meta["number"], rows)
    for name, array in seen.feats.items():
        np.testing.assert_array_equal(array, shuffled.feats[name][rows])
    assert all(a is shuffled.detections[row] for a, row in zip(seen.detections, rows))


def test_an_answer_outside_the_part_is_an_error_that_names_the_inner_method(monkeypatch, spy):
    monkeypatch.setattr(Spy, "select", lambda self, pool, *_: Selection(np.array([len(pool)]), np.ones(1)))
    method = build_acquisition({"type": "subsample", "number": 9, "then": spy})
    with pytest.raises(SelectionError, match="spy: index 9 is outside the pool of 9 frames"):
        method.select(POOL, LABELLED, Budget(2), np.random.default_rng(0))


def test_needs_are_those_of_all_parts(spy):
    parts = {"type": "filter", "by": {"type": "coreset"}, "number": 3, "then": {"type": "power", "of": ENTROPY}}
    assert build_acquisition(parts).needs == {"roi_features", "detections"}
    both = {"type": "weighted_sum", "methods": [CORESET, {"type": "subsample", "number": 1, "then": spy}]}
    assert build_acquisition(both).needs == {"roi_features", "detections", "embedding"}
    assert build_acquisition({"type": "subsample", "number": 3, "then": RANDOM}).needs == frozenset()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"type": "entropi"}, r"^acquisition\.then\.type: unknown method 'entropi'; did you mean 'entropy'"),
        ({"aggregation": "sum"}, r"^acquisition\.then\.type is missing"),
        ({**ENTROPY, "agregation": "sum"}, r"^acquisition\.then\.agregation: entropy has .*did you mean 'aggregation'"),
        ({**ENTROPY, "aggregation": "median"}, r"^acquisition\.then\.aggregation: .*'median'"),
        ({"type": "kecor", "sigma": 0}, r"^acquisition\.then\.sigma: .*got 0"),
        ({"type": "kecor", "kernel": "none"}, r"^acquisition\.then\.kernel\.type: got 'none'"),
        ({"type": "power"}, r"^acquisition\.then\.of is missing: power needs it"),
        ({"type": "power", "of": {**CORESET, "x": 1}}, r"^acquisition\.then\.of\.x: coreset has no argument"),
        ({"type": "weighted_sum", "methods": [ENTROPY, {}]}, r"^acquisition\.then\.methods\[1\]\.type is missing"),
        ("entropy", r"^acquisition\.then: got 'entropy'; expected a section with a type"),
        (None, r"^acquisition\.then: got None; expected a section"),
    ],
)
def test_what_is_wrong_in_a_part_is_named_from_the_outside_in(section, message):
    with pytest.raises(ConfigError, match=message):
        build_acquisition({"type": "subsample", "number": 3, "then": section})


def test_a_method_without_scores_cannot_be_built_on():
    with pytest.raises(SelectionError, match="random: returns no scores"):
        Part(RANDOM, "of").scores(POOL, LABELLED, Budget(3), np.random.default_rng(0))


def test_scores_are_those_of_a_selection_for_which_nothing_is_picked(spy, monkeypatch):
    budgets = []
    nothing = Selection(np.zeros(0, int), np.zeros(0), np.zeros(24))
    monkeypatch.setattr(Spy, "select", lambda self, pool, labelled, budget, rng: budgets.append(budget) or nothing)
    Part(spy, "of").scores(POOL, LABELLED, Budget(3, 1, 2), np.random.default_rng(0))
    assert budgets == [Budget(0, 1, 2)]
    for section in (
        ENTROPY,
        CORESET,
        {"type": "kecor", "kernel": {"steps": 30}},
        {"type": "lcmd", "kernel": {"steps": 30}},
    ):
        scores = Part(section, "of").scores(POOL, LABELLED, Budget(3), np.random.default_rng(0))
        whole = build_acquisition(section).select(POOL, LABELLED, Budget(3), np.random.default_rng(0))
        np.testing.assert_allclose(scores, whole.scores, rtol=1e-6, atol=1e-9)


def test_enough_frames_to_use_up_the_budget():
    order, costs = np.array([3, 1, 0, 2, 4]), np.array([2.0, 9, 2, 2, 2])
    assert first_worth(order, costs, Budget(4)).tolist() == [3, 1, 0]  # 1 costs more than the budget
    assert first_worth(order, costs, Budget(5), cost=6.0).tolist() == [3, 1, 0, 2]
    assert first_worth(order, costs, Budget(4), count=4).tolist() == [3, 1, 0, 2]
    assert first_worth(order, costs, Budget(99)).tolist() == [3, 1, 0, 2, 4]
    assert first_worth(np.zeros(0, int), np.zeros(0), Budget(3)).tolist() == []


@pytest.mark.parametrize(
    "then",
    [
        CORESET,
        {"type": "typiclust"},
        {"type": "lcmd", "kernel": {"steps": 30}},
        {"type": "kecor", "kernel": {"steps": 30}},
    ],
)
def test_large_arrays_are_read_as_they_are_asked_for(then, monkeypatch, tmp_path):
    np.save(tmp_path / "x.npy", POOL.feats["roi_features"].astype(np.float16))
    on_disk = FrameSet(
        POOL.ids, {**POOL.feats, "roi_features": np.load(tmp_path / "x.npy", mmap_mode="r")}, POOL.detections
    )
    method = build_acquisition({"type": "subsample", "number": 15, "then": then})
    copied = method.select(on_disk, LABELLED, Budget(6), np.random.default_rng(0))
    monkeypatch.setattr(module, "MAX_COPY_BYTES", 0)
    assert isinstance(take_rows(on_disk, np.arange(3)).feats["roi_features"], RowView)
    viewed = method.select(on_disk, LABELLED, Budget(6), np.random.default_rng(0))
    assert viewed.indices.tolist() == copied.indices.tolist()


def test_a_view_is_read_like_the_array_it_stands_for():
    array, rows = np.arange(60).reshape(5, 4, 3), np.array([4, 0, 3])
    view, expected = RowView(array, rows), array[[4, 0, 3]]
    assert (view.shape, view.dtype, view.ndim, len(view)) == ((3, 4, 3), array.dtype, 3, 3)
    mask = np.array([True, False, True])
    keys = (
        1,
        -1,
        slice(1, 3),
        np.array([2, 0]),
        mask,
        (slice(None), 2),
        (0, 1, 2),
        (slice(0, 2), slice(None), -1),
        ...,
    )
    for key in keys:
        np.testing.assert_array_equal(view[key], expected[key])
    np.testing.assert_array_equal(np.asarray(view), expected)
    assert np.asarray(view, np.float32).dtype == np.float32
    with pytest.raises(IndexError):
        view[3]
    nested = RowView(view, np.array([2, 1]))
    np.testing.assert_array_equal(nested[:], expected[[2, 1]])
    feats = {
        "roi_features": RowView(POOL.feats["roi_features"], rows),
        "roi_mask": RowView(POOL.feats["roi_mask"], rows),
    }
    frames = RoiFrames(FrameSet(POOL.ids[rows], feats))
    assert frames.read(np.arange(3))[0].shape == (3, *POOL.feats["roi_features"].shape[1:])
