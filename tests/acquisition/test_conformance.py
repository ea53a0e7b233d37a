"""What every registered acquisition function must do. A new method is tested here by being registered."""

import numpy as np
import pytest

from kecor.acquisition import build_acquisition, validate_selection
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget
from tests.acquisition.worlds import clusters, take, with_copy, world

ACQUISITIONS.import_from_location()
NOT_DIVERSE = {"random", "random_by_count", "fewest_boxes", "entropy", "label_entropy", "least_confidence", "margin"}
NOT_DIVERSE |= {"mc_dropout", "bald", "consensus"}
NOT_DIVERSE |= {"llal"}
NOT_DIVERSE |= {"badge", "crb"}  # as published, they do not look at the labelled frames
NOT_DIVERSE |= {"power", "weighted_sum"}  # go by scores alone
NOT_DIVERSE |= {"subsample", "filter"}  # may leave what is new out of what they let a method see
"""Methods that look at one frame at a time, so that copies do not repel each other."""
VARIANTS = {
    "kecor, quick": {"type": "kecor", "kernel": {"steps": 30}},
    "kecor, flatten": {"type": "kecor", "kernel": {"steps": 30, "arrangement": "flatten"}},
    "kecor, bfloat16": {"type": "kecor", "kernel": {"steps": 30, "precision": "bfloat16"}},
    "kecor, linear": {"type": "kecor", "kernel": "linear"},
    "kecor, not normalised": {"type": "kecor", "kernel": {"steps": 30, "normalise": False}},
    "badge, from labelled": {"type": "badge", "from_labelled": True},
    "crb, from labelled": {"type": "crb", "k1": 7, "k2": 1, "from_labelled": True},
    "coreset, embedding": {"type": "coreset", "feature": "embedding"},
    "lcmd": {"type": "lcmd", "kernel": {"steps": 30, "rank": 64}},
    "lcmd, exact": {"type": "lcmd", "kernel": {"steps": 30, "rank": None}},
    "lcmd, linear": {"type": "lcmd", "kernel": {"type": "linear", "normalise": True}},
    "llal": {"type": "llal", "steps": 30},
    "typiclust": {"type": "typiclust", "max_clusters": 4, "small": 0},
    "subsample": {"type": "subsample", "fraction": 0.5, "then": {"type": "coreset"}},
    "filter": {"type": "filter", "by": {"type": "entropy"}, "multiple": 2, "then": {"type": "coreset"}},
    "filter, all": {"type": "filter", "by": {"type": "entropy"}, "number": 99, "then": {"type": "coreset"}},
    "power": {"type": "power", "of": {"type": "entropy"}},
    "weighted_sum": {"type": "weighted_sum", "methods": [{"type": "entropy"}, {"type": "coreset"}], "weights": [1, 2]},
}
"""Arguments that make a method quick on small frames, or another one."""
METHODS = sorted({*ACQUISITIONS.module_dict, *VARIANTS} - {"kecor"})

POOL, LABELLED = world(24, seed=1), world(12, seed=2, prefix="l", labelled=True)
LABELLED.feats["targets"] = np.abs(LABELLED.feats["targets"])  # targets of classes lie in [0, 1]


def build(name):
    return build_acquisition(VARIANTS.get(name, {"type": name}))


def select(name, pool, labelled, budget, seed=0):
    selection = build(name).select(pool, labelled, budget, np.random.default_rng(seed))
    validate_selection(selection, pool, budget, name)
    return selection


@pytest.mark.parametrize("name", METHODS)
class TestEveryMethod:
    def test_same_answer_under_a_permutation_of_both_sets(self, name):
        rng = np.random.default_rng(3)
        expected = select(name, POOL, LABELLED, Budget(8))
        pool, labelled = take(POOL, rng.permutation(24)), take(LABELLED, rng.permutation(12))
        got = select(name, pool, labelled, Budget(8))
        assert pool.ids[got.indices].tolist() == POOL.ids[expected.indices].tolist()
        np.testing.assert_allclose(got.gains, expected.gains, rtol=1e-6)
        if expected.scores is not None:
            back = np.argsort(pool.ids)
            np.testing.assert_allclose(got.scores[back], expected.scores, rtol=1e-6)

    def test_deterministic_for_a_given_rng(self, name):
        first, second = (select(name, POOL, LABELLED, Budget(8), seed=5) for _ in range(2))
        np.testing.assert_array_equal(first.indices, second.indices)
        np.testing.assert_array_equal(first.gains, second.gains)

    def test_whole_pool(self, name):
        assert sorted(select(name, POOL, LABELLED, Budget(24)).indices) == list(range(24))
        assert len(select(name, POOL, LABELLED, Budget(1000)).indices) == 24

    def test_empty_pool_and_empty_budget(self, name):
        assert len(select(name, take(POOL, []), LABELLED, Budget(5)).indices) == 0
        assert len(select(name, POOL, LABELLED, Budget(0)).indices) == 0

    def test_frames_with_no_box_at_all(self, name):
        bare = take(POOL, np.flatnonzero(POOL.n_boxes() == 0))
        assert len(select(name, bare, LABELLED, Budget(2)).indices) == 2

    @pytest.mark.parametrize("budget", [Budget(7), Budget(15, 0, 1), Budget(20, 1, 0.5), Budget(3, 0, 1)])
    def test_spends_within_the_budget_and_stops_when_it_must(self, name, budget):
        selection = select(name, POOL, LABELLED, budget)
        costs = budget.costs(POOL.n_boxes())
        left = budget.amount - costs[selection.indices].sum()
        rest = np.setdiff1d(np.flatnonzero(costs <= budget.amount), selection.indices)
        assert left >= -1e-9
        assert left < costs[rest].max()  # or the first candidate that did not fit would have fitted

    def test_explains_its_info(self, name):
        info = select(name, POOL, LABELLED, Budget(8)).info
        assert set(info) <= set(getattr(build(name), "terms", {}))

    def test_does_not_change_its_input(self, name):
        before = {key: array.copy() for key, array in POOL.feats.items()}
        select(name, POOL, LABELLED, Budget(4))
        for key, array in before.items():
            np.testing.assert_array_equal(POOL.feats[key], array)


@pytest.mark.parametrize("name", [name for name in METHODS if name not in NOT_DIVERSE])
class TestEveryDiverseMethod:
    def test_a_copy_is_not_picked_while_anything_else_is_left(self, name):
        first = int(select(name, POOL, LABELLED, Budget(1)).indices[0])
        pool = with_copy(POOL, first, "p9999")
        picked = select(name, pool, LABELLED, Budget(20)).indices
        assert len({first, 24} & set(picked.tolist())) == 1

    def test_one_frame_of_each_new_cluster_comes_first(self, name):
        pool, labelled = clusters()
        picked = select(name, pool, labelled, Budget(3)).indices
        assert sorted(picked // 5) == [1, 2, 3]
