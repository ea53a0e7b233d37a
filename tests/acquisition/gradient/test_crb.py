"""CRB: its density estimates against SciPy's, its three filters one by one, and what it cannot do without."""

from itertools import islice

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gaussian_kde

from kecor.acquisition import Crb, build_acquisition, validate_selection
from kecor.acquisition.diversity.duplicates import Copies
from kecor.acquisition.diversity.seeding import kmeans_plus_plus
from kecor.acquisition.gradient.density import (
    DensityPrior,
    balance,
    box_densities,
    evenness,
    kernel_sums,
    uniform_prior,
)
from kecor.acquisition.gradient.embeddings import flat, gradient_embeddings, residuals
from kecor.acquisition.uncertainty.measures import class_entropy
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, Detections, FrameSet
from tests.acquisition.worlds import clusters, take, with_copy, world

POOL, LABELLED = world(60, seed=1), world(12, seed=2, prefix="l", labelled=True)


def select(pool=POOL, labelled=LABELLED, budget=Budget(5), seed=0, **options):  # noqa: B008
    selection = Crb(**options).select(pool, labelled, budget, np.random.default_rng(seed))
    validate_selection(selection, pool, budget, "crb")
    return selection


def boxes(densities, labels=None, volume=2.0):
    """Boxes of a volume with so many points that their densities are these."""
    n = len(densities)
    rows = np.tile(np.array([0, 0, 0, volume, 1, 1, 0], np.float32), (n, 1))
    labels = np.zeros(n, int) if labels is None else np.array(labels)
    return Detections(rows, np.ones(n), labels, n_points=np.array(densities) * volume)


def unlike(n):
    return Copies(np.arange(n, dtype=float)[:, None])


def one_class(low, high, bandwidth):
    return DensityPrior(np.array([0]), np.array([low]), np.array([high]), np.array([bandwidth]))


def test_densities_are_points_by_volume():
    pool = FrameSet(["a", "b"], detections=[boxes([3, 10]), boxes([])])
    first, second = box_densities(pool)
    np.testing.assert_allclose(first, [3, 10])
    assert second.shape == (0,)


def test_evenness_is_the_divergence_of_scipys_estimate():
    rng = np.random.default_rng(0)
    frames, width = [rng.uniform(0, 30, n) for n in (4, 7, 2)], 2.5
    prior = one_class(3.0, 25.0, width)
    sums, counts = kernel_sums(frames, [np.zeros(len(f), int) for f in frames], prior)
    assert counts[:, 0].tolist() == [4, 7, 2]
    for rows in ([0], [0, 1], [0, 1, 2]):
        data = np.concatenate([frames[i] for i in rows])
        kde = gaussian_kde(data, bw_method=width / data.std(ddof=1))
        divergence, _ = quad(lambda x, kde=kde: np.log(1 / 22 / kde(x)[0]) / 22, 3, 25)
        expected = 1 - 2 / np.pi * np.arctan(np.pi / 2 * divergence)
        assert evenness(sums[rows].sum(0), counts[rows].sum(0), prior) == pytest.approx(expected, abs=1e-5)


def test_a_class_without_boxes_counts_nothing_and_one_far_away_next_to_nothing():
    prior = one_class(0.0, 10.0, 0.1)
    sums, counts = kernel_sums([np.zeros(0), np.array([1e6])], [np.zeros(0, int), np.zeros(1, int)], prior)
    nothing, little = evenness(sums, counts, prior)
    assert nothing == 0
    assert 0 < little < 1e-2
    none = uniform_prior(np.array([4.0, 4.0]), np.array([1, 1]), 0.95, np.array([1]), None)
    assert none.classes.shape == (0,)  # densities that do not spread have no prior
    assert evenness(*kernel_sums([np.ones(2)], [np.ones(2, int)], none), none).tolist() == [0]


def test_the_prior_lies_between_quantiles_and_its_bandwidth_follows_scott():
    densities = np.concatenate([np.arange(101.0), [7, 7]])
    labels = np.repeat([0, 2], [101, 2])
    prior = uniform_prior(densities, labels, 0.9, np.array([0] * 32 + [2]), None)
    assert prior.classes.tolist() == [0]
    np.testing.assert_allclose([prior.low[0], prior.high[0]], [10, 90])
    np.testing.assert_allclose(prior.bandwidth, 80 / 12**0.5 / 2)  # 32^(1/5) = 2
    assert uniform_prior(densities, labels, 0.9, labels, 5.0).bandwidth.tolist() == [5.0]


def test_frames_that_fill_the_range_come_first():
    """Two boxes a frame: at 30 and 70 of 100 they fill it best, then those at the ends are missing, then the middle."""
    places = [[49, 52], [10, 90], [50, 51], [30, 70], [88, 90]]
    prior = one_class(0.0, 100.0, 12.0)
    sums, counts = kernel_sums([np.array(p, float) for p in places], [np.zeros(2, int)] * 5, prior)
    order = [row for row, _ in islice(balance(sums, counts, prior, unlike(5)), 3)]
    assert order[:2] == [3, 1]
    assert order[2] in (0, 2)


@pytest.mark.parametrize("seed", range(3))
def test_every_step_is_the_best_one(seed):
    rng = np.random.default_rng(seed)
    densities = [rng.gamma(1, 20, rng.integers(0, 6)) for _ in range(12)]
    labels = [rng.integers(0, 3, len(d)) for d in densities]
    everything = np.concatenate(labels)
    prior = uniform_prior(np.concatenate(densities), everything, 0.95, everything, None)
    sums, counts = kernel_sums(densities, labels, prior)
    chosen, before = [], 0.0
    for row, gain in balance(sums, counts, prior, unlike(12)):
        left = np.setdiff1d(np.arange(12), chosen)
        values = [evenness(*kernel_sums_of([*chosen, j], densities, labels, prior), prior) for j in left]
        assert row in left[np.flatnonzero(values >= max(values) - 1e-8)]
        chosen.append(row)
        now = evenness(*kernel_sums_of(chosen, densities, labels, prior), prior)
        assert gain == pytest.approx(now - before, abs=1e-9)
        before = now
    assert sorted(chosen) == list(range(12))


def kernel_sums_of(rows, densities, labels, prior):
    """Of all boxes of these frames as if they were one frame's."""
    union = [np.concatenate([values[i] for i in rows]) for values in (densities, labels)]
    sums, counts = kernel_sums([union[0]], [union[1].astype(int)], prior)
    return sums[0], counts[0]


def test_three_filters_one_after_the_other():
    selection = select()
    entropy = class_entropy(POOL.expected_counts())
    concise = np.sort(np.lexsort((POOL.ids, -entropy))[:25])
    np.testing.assert_array_equal(selection.scores, entropy)
    rng = np.random.default_rng(0)
    vectors = flat(gradient_embeddings(POOL, None, residuals, 256, rng, concise)[0])
    seeds = [row for row, _ in islice(kmeans_plus_plus(vectors, np.ones(25, bool), rng), 15)]
    prototypes = np.sort(concise[seeds])
    assert selection.info["concise"] == 25
    assert selection.info["prototypes"] == 15
    densities, labels = box_densities(POOL), [d.labels for d in POOL.detections]
    chosen = [densities[i] for i in prototypes], [labels[i] for i in prototypes]
    prior = uniform_prior(np.concatenate(densities), np.concatenate(labels), 0.95, np.concatenate(chosen[1]), None)
    order = [prototypes[row] for row, _ in islice(balance(*kernel_sums(*chosen, prior), prior, unlike(15)), 5)]
    assert selection.indices.tolist() == order
    assert selection.info["evenness"] == pytest.approx(selection.gains.sum())
    assert 0 < selection.info["evenness"] < 1


def test_without_filters_the_densities_alone_decide():
    selection = select(k1=100, k2=100, bandwidth=5.0)
    assert selection.info["prototypes"] == 60
    assert selection.info["evenness"] > select(bandwidth=5.0).info["evenness"]


def test_prototypes_from_labelled_frames_lie_in_new_clusters():
    pool, labelled = clusters()
    found = select(pool, labelled, Budget(3), k1=7, k2=1, from_labelled=True).indices
    assert sorted(found // 5) == [1, 2, 3]


def test_copies_come_last():
    pool = with_copy(POOL, 0, "p9999")
    assert len({0, 60} & set(select(pool, budget=Budget(57)).indices.tolist())) <= 1
    found = select(with_copy(take(POOL, range(6)), 0, "p9999"), budget=Budget(6)).indices
    assert len({0, 6} & set(found.tolist())) == 1


def test_boxes_are_paid_for_at_every_step():
    budget = Budget(30, 0, 1)
    selection = select(budget=budget)
    assert budget.costs(POOL.n_boxes())[selection.indices].sum() <= 30
    assert len(selection.indices) < selection.info["prototypes"] < selection.info["concise"] < 60


def test_frames_without_boxes_or_rois_are_fine():
    bare = take(POOL, np.flatnonzero(POOL.n_boxes() == 0))
    assert len(select(bare, budget=Budget(3)).indices) == 3
    assert select(bare, budget=Budget(3)).info["evenness"] == 0
    empty = take(POOL, np.flatnonzero(~POOL.feats["roi_mask"].any(1)))
    assert len(select(empty, budget=Budget(3)).indices) == 3


def altered(**changes):
    found = [Detections(**{**vars(d), **changes}) if i == 1 else d for i, d in enumerate(POOL.detections)]
    return FrameSet(POOL.ids, POOL.feats, found)


def test_what_is_missing_is_named():
    with pytest.raises(SelectionError, match="crb: frame 'p0001': its detections carry no 'n_points'"):
        select(altered(n_points=None))
    with pytest.raises(SelectionError, match=r"crb: frame 'p0001': its boxes must be \(K, 7\)"):
        select(altered(boxes=POOL.detections[1].boxes[:, :4]))
    flat_boxes = POOL.detections[1].boxes * np.array([1, 1, 1, 0, 1, 1, 1], np.float32)
    with pytest.raises(SelectionError, match="crb: frame 'p0001': the number of points of a box"):
        select(altered(boxes=flat_boxes))
    lacking = {name: array for name, array in POOL.feats.items() if name != "roi_logits"}
    with pytest.raises(SelectionError, match="crb: the frames carry no 'roi_logits'"):
        select(FrameSet(POOL.ids, lacking, POOL.detections))
    with pytest.raises(SelectionError, match="crb: the pool carries no detections"):
        select(FrameSet(POOL.ids, POOL.feats))


@pytest.mark.parametrize(
    "options", [{"k2": 0.5}, {"k1": 2}, {"alpha": 0.5}, {"bandwidth": 0}, {"from_labelled": 1}, {"dim": -1}]
)
def test_arguments_are_checked(options):
    with pytest.raises(ConfigError, match=f"acquisition.{next(iter(options))}: got .*; expected"):
        build_acquisition({"type": "crb", **options})
