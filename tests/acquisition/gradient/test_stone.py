"""STONE: its coverage against the plain search, and the balance of classes by hand."""

from itertools import combinations, islice

import numpy as np
import pytest

from kecor.acquisition import Stone, build_acquisition, validate_selection
from kecor.acquisition.gradient.coverage import Coverage
from kecor.acquisition.gradient.embeddings import balanced_residuals, flat, gradient_embeddings
from kecor.acquisition.uncertainty.measures import class_entropy
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, Detections, FrameSet
from tests.acquisition.worlds import take, with_copy, world

POOL, LABELLED = world(40, seed=1), world(12, seed=2, prefix="l", labelled=True)


def vectors(n, seed, d=5):
    return np.random.default_rng(seed).standard_t(2, size=(n, d)).astype(np.float32)


def covered(rows, unknown, known):
    """``sum_j sqrt(m_j)`` of the chosen and the known rows, positive and negative entries apart."""
    everything = np.concatenate([unknown[list(rows)], known]).astype(np.float64)
    everything = everything / np.abs(everything).sum(1, keepdims=True)
    return np.sqrt(np.maximum([everything, -everything], 0).sum(1)).sum()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_known", [0, 4])
def test_lazy_search_is_the_plain_one(seed, n_known):
    unknown, known = vectors(200, seed), vectors(n_known, seed + 9)
    chosen = []
    for row, gain in islice(Coverage(unknown.copy(), known.copy()).picks(np.ones(200, bool)), 25):
        before = covered(chosen, unknown, known)
        gains = {j: covered([*chosen, j], unknown, known) - before for j in range(200) if j not in chosen}
        assert gain == pytest.approx(gains[row], abs=1e-6)
        assert gain == pytest.approx(max(gains.values()), abs=1e-6)
        chosen.append(row)


@pytest.mark.parametrize("seed", range(4))
def test_the_search_keeps_its_promise(seed):
    unknown, known = vectors(9, seed), vectors(2, seed + 9)
    rows = [row for row, _ in islice(Coverage(unknown.copy(), known.copy()).picks(np.ones(9, bool)), 3)]
    start = covered([], unknown, known)
    best = max(covered(subset, unknown, known) for subset in combinations(range(9), 3))
    assert covered(rows, unknown, known) - start >= (1 - 1 / np.e) * (best - start)


def test_coverage_is_of_directions_and_copies_come_last():
    unknown = np.array([[2, 0, 0], [9, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 0], [4, 0, 0]], np.float32)
    rows = [row for row, _ in Coverage(unknown, np.array([[1.0, 0, 0]], np.float32)).picks(np.ones(6, bool))]
    assert rows[:2] == [2, 3]  # opposite gradients do not cover each other
    assert rows == [2, 3, 4, 0, 1, 5]  # nothing new in no gradient at all, but no copy either


def select(pool=POOL, labelled=LABELLED, budget=Budget(4), **options):  # noqa: B008
    selection = Stone(**options).select(pool, labelled, budget, np.random.default_rng(0))
    validate_selection(selection, pool, budget, "stone")
    return selection


def found(*labels):
    return Detections(np.ones((len(labels), 7)), np.ones(len(labels)), np.array(labels, int))


def with_labels(rows, detections):
    return FrameSet(POOL.ids[rows], {n: a[rows] for n, a in POOL.feats.items()}, detections)


def test_classes_are_balanced_over_labelled_and_picked_boxes():
    labelled = FrameSet(LABELLED.ids[:1], {n: a[:1] for n, a in LABELLED.feats.items()}, [found(0, 0, 0, 1)])
    pool = with_labels([0, 1, 4, 5, 6], [found(0, 0), found(2, 2), found(1), found(1, 2), found(0)])
    selection = select(pool, labelled, Budget(3))
    # (3, 1, 0) and then (3, 1, 2) or (3, 2, 1): the second has the same counts in another order, but (2, 2) is not it
    counts, chosen = np.array([3, 1, 0]), []
    rows = np.array([[2, 0, 0], [0, 0, 2], [0, 1, 0], [0, 1, 1], [1, 0, 0]])
    for pick in selection.indices:
        values = [entropy(counts + row) if i not in chosen else -1 for i, row in enumerate(rows)]
        assert values[pick] == pytest.approx(max(values))
        chosen.append(int(pick))
        counts = counts + rows[pick]
    assert selection.info["class_entropy"] == pytest.approx(entropy(counts))
    assert selection.gains.sum() == pytest.approx(entropy(counts) - entropy(np.array([3, 1, 0])))


def entropy(counts):
    share = counts[counts > 0] / counts.sum()
    return -(share * np.log(share)).sum()


def test_three_steps_one_after_the_other():
    selection = select(k1=3, k2=2)
    assert (selection.info["covering"], selection.info["mixed"]) == (12, 8)
    first = select(budget=Budget(12), k1=1, k2=1)  # all that cover
    assert first.info["covering"] == first.info["mixed"] == 12
    scores = class_entropy(POOL.expected_counts())
    assert set(selection.indices) <= set(first.indices)
    least = np.sort(scores[first.indices])[-8]
    assert (scores[selection.indices] >= least).all()
    assert selection.scores.argmax() in select(budget=Budget(1), k1=1, k2=1).indices


def test_what_covers_are_balanced_gradients():
    embeddings = gradient_embeddings(POOL, LABELLED, balanced_residuals, None, np.random.default_rng(0))
    coverage = Coverage(*map(flat, embeddings))
    np.testing.assert_allclose(select(dim=None).scores, coverage.gains, rtol=1e-6)
    expected = [row for row, _ in islice(coverage.picks(np.ones(40, bool)), 4)]
    assert set(select(dim=None, k1=1, k2=1).indices) == set(expected)


def test_the_second_step_keeps_the_most_mixed_frames():
    covering = select(budget=Budget(12), k1=1, k2=1).indices
    scores = class_entropy(POOL.expected_counts())[covering]
    kept = select(k1=3, k2=1).indices
    assert set(kept) == set(covering[np.argsort(-scores, kind="stable")[:4]])


def test_of_equal_frames_the_one_that_covers_more_comes_first():
    same = [found(0, 1)] * 40
    pool = FrameSet(POOL.ids, POOL.feats, same)
    assert select(pool).indices.tolist() == select(pool, k1=1, k2=1).indices.tolist()


def test_copies_come_last():
    first = int(select().indices[0])
    pool = with_copy(POOL, first, "p9999")
    assert len({first, 40} & set(select(pool, budget=Budget(34)).indices.tolist())) == 1
    copied = with_copy(POOL, 2, "p9999")
    labelled = FrameSet(["l"], {n: a[2:3] for n, a in POOL.feats.items()}, [POOL.detections[2]])
    distinct = 40 - (~POOL.feats["roi_mask"].any(1)).sum()  # of frames without RoIs one counts, and 2 is labelled
    assert not {2, 40} & set(select(copied, labelled, Budget(int(distinct))).indices.tolist())


def test_no_labelled_frames_no_boxes_and_no_rois_are_fine():
    assert len(select(labelled=FrameSet([])).indices) == 4
    bare = FrameSet(POOL.ids, POOL.feats, [found()] * 40)
    assert select(bare, FrameSet([])).info["class_entropy"] == 0
    empty = take(POOL, np.flatnonzero(~POOL.feats["roi_mask"].any(1)))
    assert len(select(empty, FrameSet([]), Budget(3)).indices) == 3


def test_arguments_and_arrays_are_checked():
    for options in ({"k2": 0}, {"k1": 3.5}, {"dim": "all"}):
        with pytest.raises(ConfigError, match=f"acquisition.{next(iter(options))}: got .*; expected"):
            build_acquisition({"type": "stone", **options})
    lacking = {name: array for name, array in POOL.feats.items() if name != "roi_logits"}
    with pytest.raises(SelectionError, match="stone: the frames carry no 'roi_logits'"):
        select(FrameSet(POOL.ids, lacking, POOL.detections))
    with pytest.raises(SelectionError, match="stone: the pool carries no detections"):
        select(FrameSet(POOL.ids, POOL.feats))
