"""k-means++ seeding by hand, and BADGE."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from kecor.acquisition import Badge, validate_selection
from kecor.acquisition.diversity.seeding import kmeans_plus_plus
from kecor.acquisition.gradient.embeddings import flat, gradient_embeddings, residuals
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, FrameSet
from tests.acquisition.worlds import clusters, take, with_copy, world

POOL = world(24, seed=1)


def seeds(vectors, seed=0, known=None, candidates=None):
    vectors = np.array(vectors, np.float32)
    candidates = np.ones(len(vectors), bool) if candidates is None else np.array(candidates)
    return list(kmeans_plus_plus(vectors, candidates, np.random.default_rng(seed), known))


def select(pool, labelled=FrameSet([]), amount=3, seed=0, **options):  # noqa: B008
    selection = Badge(**options).select(pool, labelled, Budget(amount), np.random.default_rng(seed))
    validate_selection(selection, pool, Budget(amount), "badge")
    return selection


def test_seeding_draws_by_squared_distance():
    line = [[0.0], [1.0], [2.0], [5.0]]
    drawn = Counter(tuple(row for row, _ in seeds(line, s)[:3]) for s in range(2000))
    chances = {}
    for second, third in ((a, b) for a in (0, 1, 2) for b in (0, 1, 2) if a != b):
        from_last = {0: 25, 1: 16, 2: 9}
        nearest = {i: min(from_last[i], (i - second) ** 2) for i in (0, 1, 2)}
        chances[3, second, third] = from_last[second] / 50 * nearest[third] / sum(nearest.values())
    assert set(drawn) == set(chances)
    for order, chance in chances.items():
        assert abs(drawn[order] - 2000 * chance) < 5 * np.sqrt(2000 * chance * (1 - chance))


def test_seeding_says_the_squared_distances_and_ends_with_copies():
    vectors = [[3.0, 0.0], [0.0, 4.0], [0.0, 4.0], [3.0, 0.0]]
    assert seeds(vectors) == [(1, 16.0), *seeds(vectors)[1:]]
    assert sorted(seeds(vectors)[1:2])[0][1] == 25.0
    assert {row for row, _ in seeds(vectors)[:2]} in ({1, 0}, {1, 3})
    assert [distance for _, distance in seeds(vectors)[2:]] == [0.0, 0.0]


def test_seeding_from_known_rows_and_among_candidates():
    known = np.array([[0.0, 0.0]], np.float32)
    vectors = [[0.0, 0.0], [1e-3, 0.0], [0.0, 7.0], [9.0, 9.0]]
    (first, distance), *_, last = seeds(vectors, known=known, candidates=[True, True, True, False])
    assert (first, distance) == (2, 49.0)
    assert last == (0, 0.0)


def test_seeding_is_lazy_and_of_one_kind_whatever_the_number_asked_for():
    vectors = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    some = list(islice(kmeans_plus_plus(vectors, np.ones(50, bool), np.random.default_rng(1)), 7))
    assert some == seeds(vectors, 1)[:7]
    assert sorted(row for row, _ in seeds(vectors, 1)) == list(range(50))


def test_the_method_is_the_seeding_of_hallucinated_gradients():
    rng = np.random.default_rng(0)
    vectors = flat(gradient_embeddings(POOL, None, residuals, None, rng)[0])
    expected = [row for row, _ in islice(kmeans_plus_plus(vectors, np.ones(24, bool), rng), 8)]
    selection = select(POOL, amount=8, dim=None)
    assert selection.indices.tolist() == expected
    np.testing.assert_allclose(selection.scores, np.linalg.norm(vectors, axis=1), rtol=1e-6)


def test_first_the_largest_gradient_then_by_distance():
    selection = select(POOL, amount=8)
    assert selection.indices[0] == np.argmax(selection.scores)
    assert selection.gains[0] == pytest.approx(selection.scores.max() ** 2, rel=1e-5)
    assert (selection.scores[~POOL.feats["roi_mask"].any(1)] == 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_one_frame_of_each_cluster_from_nothing_and_of_each_new_one_from_labelled(seed):
    pool, labelled = clusters()
    assert sorted(select(pool, labelled, 4, seed).indices // 5) == [0, 1, 2, 3]
    assert sorted(select(pool, labelled, 3, seed, from_labelled=True).indices // 5) == [1, 2, 3]
    assert sorted(select(pool, FrameSet([]), 4, seed, from_labelled=True).indices // 5) == [0, 1, 2, 3]


def test_a_copy_comes_last_and_frames_without_rois_count_as_one():
    pool = with_copy(POOL, 0, "p9999")
    picked = select(pool, amount=25).indices.tolist()
    bare = np.flatnonzero(~POOL.feats["roi_mask"].any(1)).tolist()
    last = picked[-len(bare) :]  # one of the two copies and all but one of the frames without RoIs
    assert len({0, 24} & set(last)) == 1
    assert len(set(bare) & set(last)) == len(bare) - 1


def test_only_frames_that_can_be_paid_for_repel_others():
    budget = Budget(4, 0, 1)
    picked = Badge().select(POOL, FrameSet([]), budget, np.random.default_rng(0)).indices
    cheap = np.flatnonzero(budget.costs(POOL.n_boxes()) <= 4)
    alone = Badge().select(take(POOL, cheap), FrameSet([]), budget, np.random.default_rng(0)).indices
    assert picked.tolist() == cheap[alone].tolist()


def test_arguments_and_arrays_are_checked():
    for options in ({"dim": 0}, {"dim": 1.5}, {"dim": True}, {"from_labelled": "yes"}):
        with pytest.raises(ConfigError, match=f"acquisition.{next(iter(options))}: got .*; expected"):
            Badge(**options)
    with pytest.raises(SelectionError, match="badge: the frames carry no 'roi_logits'"):
        select(FrameSet(["a"], {"roi_features": np.ones((1, 2, 3))}))
