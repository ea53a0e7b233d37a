"""BAIT against its definition written out with explicit inverses."""

from itertools import combinations, islice

import numpy as np
import pytest

from kecor.acquisition import Bait, validate_selection
from kecor.acquisition.gradient.embeddings import fisher_roots, gradient_embeddings
from kecor.acquisition.gradient.fisher import FisherDesign
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, FrameSet
from tests.acquisition.worlds import take, with_copy, world

POOL, LABELLED = world(24, seed=1), world(12, seed=2, prefix="l", labelled=True)


def items(n, seed, n_classes=2, d=4):
    return np.random.default_rng(seed).normal(size=(n, n_classes, d)).astype(np.float32) * np.arange(1, d + 1)


def objective(chosen, unknown, known, ridge):
    """``sum_c tr(M_c^-1 F_c)`` with the ridge in units of the population's mean eigenvalue."""
    everything = np.concatenate([unknown, known]).astype(np.float64)
    design = np.concatenate([unknown[list(chosen)], known]).astype(np.float64)
    n_classes, d = everything.shape[1:]
    fisher = [everything[:, c].T @ everything[:, c] / len(everything) for c in range(n_classes)]
    unit = np.mean([np.trace(f) / d for f in fisher])
    blocks = [ridge * unit * np.eye(d) + design[:, c].T @ design[:, c] for c in range(n_classes)]
    return sum(np.trace(np.linalg.inv(m) @ f) for m, f in zip(blocks, fisher))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_known", [0, 3])
def test_forward_search_is_that_of_the_definition(seed, n_known):
    unknown, known = items(15, seed), items(n_known, seed + 50)
    design = FisherDesign(unknown, known, 0.5)
    assert design.objective() == pytest.approx(objective([], unknown, known, 0.5), rel=1e-6)
    picks = list(islice(design.forward(np.ones(15, bool)), 8))
    chosen = []
    for pick in picks:
        values = {j: objective([*chosen, j], unknown, known, 0.5) for j in range(15) if j not in chosen}
        assert pick.index == min(values, key=values.get)
        assert pick.gain == pytest.approx(objective(chosen, unknown, known, 0.5) - values[pick.index], rel=1e-6)
        chosen.append(pick.index)
    kept = list(chosen)
    design.restart(picks)
    for pick in islice(design.backward(picks), 4):
        values = {j: objective([i for i in kept if i != j], unknown, known, 0.5) for j in kept}
        assert pick.index == min(values, key=values.get)
        kept.remove(pick.index)
    design.restart([pick for pick in picks if pick.index in kept])
    assert design.objective() == pytest.approx(objective(kept, unknown, known, 0.5), rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_left_is_near_the_best_of_all_subsets(seed):
    unknown = items(10, seed)
    design = FisherDesign(unknown, unknown[:0], 1.0)
    picks = list(islice(design.forward(np.ones(10, bool)), 6))
    design.restart(picks)
    removed = {pick.index for pick in islice(design.backward(picks), 3)}
    found = objective([p.index for p in picks if p.index not in removed], unknown, unknown[:0], 1.0)
    every = [objective(subset, unknown, unknown[:0], 1.0) for subset in combinations(range(10), 3)]
    assert found <= min(every) * 1.05


def select(pool=POOL, labelled=LABELLED, budget=Budget(6), **options):  # noqa: B008
    selection = Bait(**options).select(pool, labelled, budget, np.random.default_rng(0))
    validate_selection(selection, pool, budget, "bait")
    return selection


def test_the_method_is_the_search_over_fisher_vectors():
    unknown, known = gradient_embeddings(POOL, LABELLED, fisher_roots, None, np.random.default_rng(0))
    selection = select()
    assert selection.info["objective_before"] == pytest.approx(objective([], unknown, known, 1.0), rel=1e-6)
    after = objective(selection.indices, unknown, known, 1.0)
    assert selection.info["objective_after"] == pytest.approx(after, rel=1e-6)
    assert selection.info["picked_forward"] == 12
    first = [objective([], unknown, known, 1.0) - objective([j], unknown, known, 1.0) for j in range(24)]
    np.testing.assert_allclose(selection.scores, first, rtol=1e-5, atol=1e-9)
    random = [np.random.default_rng(s).permutation(24)[:6] for s in range(50)]
    assert after < min(objective(rows, unknown, known, 1.0) for rows in random)


def test_what_is_kept_is_what_the_backward_search_leaves():
    unknown, known = gradient_embeddings(POOL, LABELLED, fisher_roots, None, np.random.default_rng(0))
    chosen = [pick.index for pick in islice(FisherDesign(unknown, known, 1.0).forward(np.ones(24, bool)), 12)]
    forward = chosen[:6]
    while len(chosen) > 6:
        chosen.remove(min(chosen, key=lambda j: objective([i for i in chosen if i != j], unknown, known, 1.0)))
    assert select().indices.tolist() == chosen != forward


def test_without_oversampling_it_is_the_forward_search():
    unknown, known = gradient_embeddings(POOL, LABELLED, fisher_roots, None, np.random.default_rng(0))
    picks = islice(FisherDesign(unknown, known, 1.0).forward(np.ones(24, bool)), 6)
    assert select(oversample=1).indices.tolist() == [pick.index for pick in picks]


def test_directions_are_covered_by_how_much_of_the_pool_lies_in_them():
    """Frames along three axes: 12, 6 and 3 of them. One a direction first, then mostly the common one."""
    feats = np.zeros((21, 1, 3), np.float32)
    axis = np.repeat([0, 1, 2], [12, 6, 3])
    feats[np.arange(21), 0, axis] = np.linspace(1, 1.01, 21)
    logits = np.zeros((21, 1, 1), np.float32)
    pool = FrameSet([f"{i:02d}" for i in range(21)], {"roi_features": feats, "roi_logits": logits})
    found = select(pool, FrameSet([]), Budget(6), ridge=0.01)
    assert np.bincount(axis[found.indices], minlength=3).tolist() == [3, 2, 1]  # as sqrt(12) : sqrt(6) : sqrt(3)


@pytest.mark.parametrize("seed", range(5))
def test_projected_features_tell_groups_apart(seed):
    """Five groups of frames in 256 channels, one of them labelled: from 32 channels one frame of each of the others."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(5), 6)
    features = rng.normal(size=(5, 256))[group] + 0.05 * rng.normal(size=(30, 256))
    feats = {"roi_features": features[:, None].astype(np.float16), "roi_logits": np.ones((30, 1, 2), np.float32)}
    frames = FrameSet([f"{i:02d}" for i in range(30)], feats)
    pool, labelled = (FrameSet(frames.ids[r], {n: a[r] for n, a in feats.items()}) for r in (group > 0, group == 0))
    assert sorted(group[group > 0][select(pool, labelled, Budget(4), dim=32, ridge=0.1).indices]) == [1, 2, 3, 4]


def test_boxes_are_paid_for_and_copies_and_empty_worlds_are_fine():
    budget = Budget(20, 0, 1)
    selection = select(budget=budget)
    assert budget.costs(POOL.n_boxes())[selection.indices].sum() <= 20
    bare = take(POOL, np.flatnonzero(~POOL.feats["roi_mask"].any(1)))
    assert select(bare, FrameSet([]), Budget(2)).gains.tolist() == [0, 0]
    pool = with_copy(POOL, int(selection.indices[0]), "p9999")
    assert len({int(selection.indices[0]), 24} & set(select(pool, budget=Budget(21)).indices.tolist())) == 1


def test_the_answer_does_not_depend_on_the_features_units():
    def scaled(frames):
        feats = {**frames.feats, "roi_features": frames.feats["roi_features"] * 64}
        return FrameSet(frames.ids, feats, frames.detections)

    assert select(scaled(POOL), scaled(LABELLED)).indices.tolist() == select().indices.tolist()


def test_arguments_and_arrays_are_checked():
    for options in ({"dim": 0}, {"ridge": 0}, {"ridge": "1e-3"}, {"oversample": 0.5}):
        with pytest.raises(ConfigError, match=f"acquisition.{next(iter(options))}: got .*; expected"):
            Bait(**options)
    with pytest.raises(SelectionError, match="bait: the frames carry no 'roi_logits'"):
        select(FrameSet(["a"], {"roi_features": np.ones((1, 2, 3))}))
