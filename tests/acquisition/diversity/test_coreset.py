"""Greedy k-centre against its plain form, its guarantee, and what it does without labelled frames or RoIs."""

from itertools import combinations

import numpy as np
import pytest

from kecor.acquisition import Coreset, validate_selection
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, FrameSet
from tests.acquisition.diversity.test_frame_vectors import weighted_means
from tests.acquisition.worlds import take, with_copy, world

POOL, LABELLED = world(24, seed=1), world(5, seed=2, prefix="l", labelled=True)


def points(array, prefix="p"):
    """Frames of one RoI each with these features."""
    array = np.asarray(array)
    feats = {"roi_features": array[:, None], "roi_mask": np.ones((len(array), 1), bool), "embedding": array}
    return FrameSet([f"{prefix}{i:05d}" for i in range(len(array))], feats)


def select(pool, labelled, amount, **options):
    selection = Coreset(**options).select(pool, labelled, Budget(amount), np.random.default_rng(0))
    validate_selection(selection, pool, Budget(amount), "coreset")
    return selection


def plain(unknown, known, k):
    """Farthest first in double precision, all distances at once."""
    between = np.linalg.norm(unknown[:, None] - unknown, axis=2)
    near = np.linalg.norm(unknown[:, None] - known, axis=2).min(1)
    picks, gains = [], []
    for _ in range(k):
        picks.append(int(near.argmax()))
        gains.append(near.max())
        near = np.minimum(near, between[picks[-1]])
    return picks, gains


def test_picks_and_gains_are_those_of_the_plain_form():
    rows = np.flatnonzero(POOL.feats["roi_mask"].any(1))
    known = weighted_means(LABELLED)[LABELLED.feats["roi_mask"].any(1)]
    picks, gains = plain(weighted_means(POOL)[rows], known, 10)
    selection = select(POOL, LABELLED, 10)
    assert selection.indices.tolist() == rows[picks].tolist()
    np.testing.assert_allclose(selection.gains, gains, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_on_a_larger_set_far_from_the_origin_in_half_precision_on_disk(dtype, tmp_path):
    rng = np.random.default_rng(0)
    array, known = ((800 + 5 * rng.normal(size=(n, 16))).astype(dtype) for n in (700, 20))
    np.save(tmp_path / "x.npy", array[:, None])
    pool = points(array)
    pool.feats["roi_features"] = np.load(tmp_path / "x.npy", mmap_mode="r")
    picks, gains = plain(array.astype(np.float64), known.astype(np.float64), 60)
    selection = select(pool, points(known, "l"), 60)
    assert selection.indices.tolist() == picks
    np.testing.assert_allclose(selection.gains, gains, rtol=1e-5)


def test_what_is_left_is_at_most_twice_as_far_as_the_best_picks_leave():
    rng = np.random.default_rng(1)
    for _ in range(5):
        unknown, known = rng.normal(size=(11, 2)), rng.normal(size=(2, 2))
        picks = select(points(unknown), points(known, "l"), 3).indices

        def radius(chosen, unknown=unknown, known=known):
            centres = np.concatenate([known, unknown[list(chosen)]])
            return np.linalg.norm(unknown[:, None] - centres, axis=2).min(1).max()

        assert radius(picks) <= 2 * min(map(radius, combinations(range(11), 3))) + 1e-6


def test_on_a_line():
    """Labelled at 0; the farthest is 10, then 5 is farthest from both, then 2.4, then 7.7."""
    pool = points(np.array([[2.4, 0], [10, 0], [5, 0], [7.7, 0], [0, 0]]))
    selection = select(pool, points(np.zeros((1, 2)), "l"), 5)
    assert selection.indices.tolist() == [1, 2, 0, 3, 4]
    np.testing.assert_allclose(selection.gains, [10, 5, 2.4, 2.3, 0], atol=1e-5)
    np.testing.assert_allclose(selection.scores, [2.4, 10, 5, 7.7, 0], atol=1e-5)


def test_without_labelled_frames_the_first_is_in_the_middle():
    pool = points(np.array([[0.0, 0], [4, 0], [5, 0], [10, 0], [5.5, 9]]))
    selection = select(pool, FrameSet([]), 5)
    assert selection.indices[:2].tolist() == [2, 4]
    assert np.isfinite(selection.gains).all()


def test_copies_and_frames_without_rois_come_last():
    pool = POOL
    for i, row in enumerate((0, 4, 8)):
        pool = with_copy(pool, row, f"q{i}")
    pool = with_copy(pool, 11, "r")
    copy_of_labelled = take(LABELLED, [0])
    feats = {n: np.concatenate([a, copy_of_labelled.feats[n]]) for n, a in pool.feats.items()}
    pool = FrameSet([*pool.ids, "s"], feats, [*pool.detections, copy_of_labelled.detections[0]])
    selection = select(pool, LABELLED, 99)
    bare = np.flatnonzero(~pool.feats["roi_mask"].any(1))
    n_last = len(bare) + 4 + 1
    last = selection.indices[-n_last:]
    assert set(bare) | {28} < set(last.tolist())
    assert len({0, 24} & set(last.tolist())) == 1
    assert (selection.gains[-n_last:] == 0).all()
    assert (selection.gains[:-n_last] > 0).all()
    only = take(POOL, np.flatnonzero(~POOL.feats["roi_mask"].any(1)))
    assert len(select(only, FrameSet([]), 2).indices) == 2


def test_frames_dearer_than_the_whole_budget_are_no_centres():
    found = [POOL.detections[i] for i in (0, 1, 3)]
    order = np.argsort([-len(d) for d in found])
    pool = points(np.array([[10.0], [9], [1]]))
    pool.detections = [found[i] for i in order]
    budget = Budget(max(len(found[i]) for i in order[1:]), 0, 1)
    selection = Coreset().select(pool, points(np.zeros((1, 1)), "l"), budget, np.random.default_rng(0))
    assert selection.indices[0] == 1
    assert selection.gains[0] == pytest.approx(9)


def test_embeddings_and_faults():
    assert Coreset("embedding").needs == {"embedding"}
    array, known = np.random.default_rng(0).normal(size=(9, 3)), np.zeros((1, 3))
    picks, _ = plain(array, known, 4)
    assert select(points(array), points(known, "l"), 4, feature="embedding").indices.tolist() == picks
    with pytest.raises(ConfigError, match=r"acquisition\.feature: .*'rois'"):
        Coreset("rois")
    with pytest.raises(SelectionError, match=r"coreset: .*3 values, of the pool 2"):
        select(points(np.zeros((2, 2))), points(known, "l"), 1)
    with pytest.raises(SelectionError, match="coreset: the frames carry no 'embedding'"):
        select(FrameSet(["a"]), FrameSet([]), 1, feature="embedding")
