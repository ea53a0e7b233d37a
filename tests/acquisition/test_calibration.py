"""Expected objects, calibrated on labelled frames."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit

from kecor.acquisition import build_acquisition
from kecor.acquisition.calibration import Calibration, calibrated
from kecor.acquisition.logistic import PRECISION, fit_logistic
from kecor.acquisition.uncertainty.measures import class_entropy
from kecor.ntk.roi_frames import RoiFrames
from kecor.structures import Budget, Detections, FrameSet
from tests.acquisition import worlds

SLOPES, INTERCEPTS, MISSED = np.array([1.5, 0.6]), np.array([-1.0, -2.0]), np.array([0.3, 0.1])


def world(n: int, seed: int = 0, rois: int = 16, truth: bool = True, prefix: str = "f") -> FrameSet:
    """Frames whose RoIs are objects with a known probability, and true boxes that no RoI claims."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(0.6, 2, (n, rois)).clip(1e-4, 1 - 1e-4).astype(np.float32)
    labels, mask = rng.integers(2, size=(n, rois)).astype(np.int8), rng.random((n, rois)) < 0.8
    objects = (rng.random((n, rois)) < expit(SLOPES[labels] * logit(scores.astype(float)) + INTERCEPTS[labels])) & mask
    counts = np.stack([(objects & (labels == c)).sum(1) for c in range(2)], 1) + rng.poisson(MISSED, (n, 2))
    feats = {"roi_scores": scores, "roi_labels": labels, "roi_mask": mask}
    more = {"objects": objects, "true_counts": counts} if truth else {}
    return FrameSet(np.array([f"{prefix}{i:05d}" for i in range(n)]), feats | more)


@pytest.mark.parametrize("seed", range(3))
def test_the_fit_minimises_the_penalised_likelihood(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(-2, 2, 60)
    y = (rng.random(60) < expit(1.7 * x + 2)).astype(float)

    def loss(at):
        z = at[0] * x + at[1]
        return (np.logaddexp(0, z) - y * z).sum() + PRECISION / 2 * (at[0] - 1) ** 2

    best = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}).x
    fit = fit_logistic(x, y, 1.0)
    assert [fit.slope, fit.intercept] == pytest.approx(best, abs=1e-5)
    assert expit(fit.slope * x + fit.intercept).sum() == pytest.approx(y.sum(), abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_none_and_all_stay_half_an_object_away(value):
    x, y = np.linspace(-9, 3, 40), np.full(40, value)
    fit = fit_logistic(x, y, 1.0)
    assert abs(expit(fit.slope * x + fit.intercept).sum() - y.sum()) == pytest.approx(0.5, abs=1e-6)


def test_constant_scores_and_separable_ones_give_finite_fits():
    y = np.array([0.0, 1, 0, 0])
    constant = fit_logistic(np.full(4, -3.0), y, 1.3)
    assert constant.slope == pytest.approx(1.3)
    assert expit(1.3 * -3 + constant.intercept) == pytest.approx(0.25)
    separable = fit_logistic(np.array([-8.0, 13, -9, -8]), y, 1.0)
    assert np.isfinite([separable.slope, separable.intercept]).all()
    assert separable.slope > 1


def test_expected_sums_equal_true_sums_on_labelled_frames():
    labelled = world(30)
    _, known, info = calibrated(world(5, 1, truth=False, prefix="p"), labelled)
    assert known.expected_counts().sum(0) == pytest.approx(labelled.feats["true_counts"].sum(0), abs=1e-5)
    assert info["expected_mean"] == pytest.approx(info["true_mean"], abs=1e-6)
    assert info["objects"] == labelled.feats["true_counts"].sum(0).tolist()


def test_held_out_frames_are_right_on_average_and_parameters_are_found():
    held = world(4000, 1)
    truth = held.feats["true_counts"]
    pool = FrameSet(held.ids, {k: v for k, v in held.feats.items() if k not in ("objects", "true_counts")})
    labelled = world(1500, 2, prefix="l")
    pool, _, info = calibrated(pool, labelled)
    assert pool.expected_counts().mean(0) == pytest.approx(truth.mean(0), rel=0.05)
    assert info["slope"] == pytest.approx(SLOPES, abs=0.1)
    assert info["missed_rate"] == pytest.approx(MISSED, abs=0.05)
    probs = pool.feats["roi_probs"][held.feats["roi_mask"]]
    hits = held.feats["objects"][held.feats["roi_mask"]]
    for low in (0.0, 0.1, 0.3, 0.6):
        inside = (probs >= low) & (probs < low + 0.3)
        assert hits[inside].mean() == pytest.approx(probs[inside].mean(), abs=0.03)
    assert pool.n_boxes() == pytest.approx(pool.feats["roi_probs"].sum(1) + np.sum(info["missed_rate"]), rel=1e-4)
    assert (pool.feats["roi_probs"][~held.feats["roi_mask"]] == 0).all()


def test_a_class_that_was_never_seen_and_a_single_frame():
    one = world(1, 3)
    feats = one.feats | {"objects": np.zeros((1, 16), bool), "true_counts": np.zeros((1, 3), np.int64)}
    pool, known, info = calibrated(world(4, 4, truth=False, prefix="p"), FrameSet(one.ids, feats))
    assert known.expected_counts()[0, :2] == pytest.approx([0.5, 0.5], abs=1e-6)
    assert pool.expected_counts().shape == (4, 3)
    assert np.isfinite(pool.expected_counts()).all()
    assert (pool.expected_counts()[:, 2] == 0).all()
    assert info["correlation"] is None


def test_order_does_not_matter():
    labelled, pool = world(20), world(9, 1, truth=False, prefix="p")
    mixed = np.random.default_rng(0).permutation(20)
    other = FrameSet(labelled.ids[mixed], {k: v[mixed] for k, v in labelled.feats.items()})
    one, two = (calibrated(pool, frames)[0].feats["expected_counts"] for frames in (labelled, other))
    assert (one == two).all()


def test_frames_are_read_in_chunks(monkeypatch):
    labelled, pool = world(20), world(9, 1, truth=False, prefix="p")
    whole = Calibration.fit(labelled).expect(pool)
    monkeypatch.setattr("kecor.acquisition.calibration.CHUNK", 2)
    assert (Calibration.fit(labelled).expect(pool).feats["roi_probs"] == whole.feats["roi_probs"]).all()


@pytest.mark.parametrize("name", ["roi_scores", "roi_labels", "objects", "true_counts"])
def test_without_an_array_boxes_are_detections_and_the_report_says_so(name):
    labelled = world(3)
    del labelled.feats[name]
    found = [Detections(np.zeros((k, 7)), np.ones(k), np.arange(k) % 2) for k in (0, 3)]
    pool, _, info = calibrated(FrameSet(["a", "b"], world(2, 1, truth=False).feats, found), labelled)
    assert "detections" in info["basis"]
    assert f"{name} of labelled frames missing" in info["basis"]
    assert pool.n_boxes().tolist() == [0, 3]
    assert pool.expected_counts().tolist() == [[0, 0], [2, 1]]


@pytest.mark.parametrize("name", ["label_entropy", "crb", "stone", "kecor"])
def test_methods_count_expected_boxes_and_not_detections(name):
    pool, labelled = worlds.world(20), worlds.world(8, 1, "l", labelled=True)
    counts = np.random.default_rng(0).uniform(0, 3, (20, 3))
    counts[7] = [40, 40, 40]
    pool.feats["expected_counts"], labelled.feats["expected_counts"] = counts, np.ones((8, 3))
    budget = Budget(30, cost_frame=1, cost_box=1)
    selection = build_acquisition({"type": name}).select(pool, labelled, budget, np.random.default_rng(0))
    assert 7 not in selection.indices
    assert 0 < budget.costs(counts.sum(1))[selection.indices].sum() <= 30
    if name in ("label_entropy", "crb"):
        np.testing.assert_allclose(selection.scores, class_entropy(counts))
    if name == "stone":
        assert selection.info["class_entropy"] == pytest.approx(
            class_entropy((8 + counts[selection.indices].sum(0))[None])[0]
        )
    if name == "kecor":
        entropies = 0.5 * class_entropy(counts)[selection.indices]
        np.testing.assert_allclose(selection.info["entropy_gains"], entropies, atol=1e-6)


def test_rois_weigh_as_much_as_they_are_probable():
    frames = worlds.world(4)
    probs = (np.random.default_rng(0).random((4, worlds.N_ROIS)) * frames.feats["roi_mask"]).astype(np.float32)
    frames.feats["roi_probs"] = probs
    expected = probs[:3] / probs[:3].sum(1, keepdims=True)
    np.testing.assert_allclose(RoiFrames(frames).weights(np.arange(3)), expected, rtol=1e-6)
