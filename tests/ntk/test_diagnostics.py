import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kecor.ntk.diagnostics import (
    centred_alignment,
    diagnose,
    effective_dimension,
    kernel_drift,
    kernel_target_alignment,
    label_gradient_alignment,
    leading_alignment,
    mean_variance,
    spectrum,
)

DRIFT_ROUNDING = 1e-5
"""How far the six digits of a probe may move a drift."""


@st.composite
def worlds(draw):
    """Features (L, D), possibly fewer than frames or all alike, and targets (L, T), some columns constant."""
    n, dim, outputs = draw(st.integers(2, 12)), draw(st.integers(1, 15)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = rng.normal(size=(n, dim)) * draw(st.sampled_from([0.01, 1.0, 30.0])) + draw(st.sampled_from([0.0, 5.0]))
    features[1:] = np.where(draw(st.sampled_from([0, 0, 0, 1])), features[0], features[1:])
    targets = rng.normal(size=(n, outputs)) * rng.uniform(0.1, 100, outputs) + rng.normal(size=outputs)
    targets[:, 0] = np.where(draw(st.booleans()), 3.7, targets[:, 0])
    return features, targets


def random_world(n=9, dim=6, outputs=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)) + 1, rng.normal(size=(n, outputs)) * [1, 10, 100][:outputs] + 5


def by_columns(targets):
    """Standardised targets, one column after the other."""
    columns = []
    for column in targets.T:
        std = np.sqrt(np.mean((column - column.mean()) ** 2))
        columns.append((column - column.mean()) / std if std > 1e-9 else np.zeros(len(column)))
    return np.stack(columns, 1)


def centring(n):
    return np.eye(n) - np.ones((n, n)) / n


@given(worlds())
@settings(max_examples=60, deadline=None)
def test_the_spectrum_has_the_moments_of_the_kernel_and_is_sorted(world):
    gram = world[0] @ world[0].T
    values = spectrum(gram)
    assert values.shape == (len(gram),)
    assert (values >= 0).all()
    assert (np.diff(values) <= 0).all()
    assert values.sum() == pytest.approx(np.trace(gram))
    assert np.square(values).sum() == pytest.approx(np.square(gram).sum())
    assert np.sqrt(values[0]) == pytest.approx(np.linalg.norm(world[0], 2))
    assert np.count_nonzero(values) <= min(world[0].shape)


@given(worlds(), st.sampled_from([1e-3, 0.01, 1.0, 50.0]))
@settings(max_examples=60, deadline=None)
def test_the_effective_dimension_is_the_trace_of_ridge_regressions_hat_matrix(world, noise):
    features, _ = world
    n, dim = features.shape
    hat = features @ np.linalg.solve(features.T @ features + noise * np.eye(dim), features.T)
    found = effective_dimension(features @ features.T, noise)
    assert found == pytest.approx(np.trace(hat), rel=1e-6, abs=1e-9)
    assert 0 <= found <= min(n, dim) + 1e-9


def test_the_effective_dimension_counts_directions_above_the_noise():
    assert effective_dimension(np.diag([1.0, 1.0, 1.0, 0.0]), 1e-9) == pytest.approx(3)
    assert effective_dimension(np.eye(4), 1.0) == pytest.approx(2)
    assert effective_dimension(np.eye(4), 1e9) == pytest.approx(0, abs=1e-6)


@given(worlds())
@settings(max_examples=60, deadline=None)
def test_alignment_with_the_targets_is_that_of_the_explicitly_centred_kernel(world):
    features, targets = world
    gram, own = features @ features.T, by_columns(targets)
    h = centring(len(gram))
    a, b = h @ gram @ h, own @ own.T
    constant = np.ptp(features, axis=0).max() < 1e-9 or np.ptp(own) == 0
    expected = 0.0 if constant else np.trace(a @ b) / np.sqrt(np.trace(a @ a) * np.trace(b @ b))
    assert kernel_target_alignment(gram, targets) == pytest.approx(expected, abs=1e-7)


def test_a_kernel_made_of_the_targets_is_aligned_with_them_whatever_is_added_to_all_of_it():
    _, targets = random_world()
    own = by_columns(targets)
    gram = own @ own.T
    assert kernel_target_alignment(gram, targets) == pytest.approx(1)
    assert label_gradient_alignment(gram, targets) == pytest.approx(1)
    assert kernel_target_alignment(3 * gram + 7, targets * 2 - 9) == pytest.approx(1)
    assert label_gradient_alignment(3 * gram + 7, targets * 2 - 9) == pytest.approx(1)
    y = targets[:, :1]
    assert kernel_target_alignment(y @ y.T, y) == pytest.approx(1)
    assert leading_alignment(y @ y.T, y, 1) == pytest.approx([1])


@given(worlds())
@settings(max_examples=60, deadline=None)
def test_label_gradient_alignment_is_a_correlation_of_entries_and_never_above_the_centred_one(world):
    features, targets = world
    gram, own = features @ features.T, by_columns(targets)
    labels = own @ own.T
    found = label_gradient_alignment(gram, targets)
    if np.ptp(gram) > 1e-9 * np.abs(gram).max() and np.ptp(labels) > 0:
        assert found == pytest.approx(np.corrcoef(gram.ravel(), labels.ravel())[0, 1], abs=1e-7)
    else:
        assert found == 0
    assert found <= kernel_target_alignment(gram, targets) + 1e-9


def test_label_gradient_alignment_of_balanced_classes_is_the_papers():
    rng = np.random.default_rng(3)
    classes = np.repeat([0, 1, 2], 4)
    features = rng.normal(size=(12, 5)) + np.eye(3)[classes] @ rng.normal(size=(3, 5))
    gram, same = features @ features.T, (classes[:, None] == classes).astype(float)
    a, b = gram - gram.mean(), same - same.mean()
    expected = np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2))
    assert label_gradient_alignment(gram, np.eye(3)[classes]) == pytest.approx(expected)


def test_only_label_gradient_alignment_sees_frames_that_are_large_with_all_others():
    features, targets = random_world()
    rows = np.arange(len(features)) * 5.0
    lifted = features @ features.T + rows + rows[:, None]
    assert kernel_target_alignment(lifted, targets) == pytest.approx(
        kernel_target_alignment(features @ features.T, targets)
    )
    assert label_gradient_alignment(lifted, targets) < label_gradient_alignment(features @ features.T, targets) / 2


@given(worlds(), st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_leading_alignment_is_the_fit_of_a_regression_on_the_leading_directions(world, k):
    features, targets = world
    own = by_columns(targets)
    found = leading_alignment(features @ features.T, targets, k)
    assert found.shape == (k,)
    assert (np.diff(found) >= 0).all()
    centred = features - features.mean(0)
    left, sizes, _ = np.linalg.svd(centred)
    rank = int((sizes > 1e-5 * np.linalg.norm(features)).sum())
    for j in range(1, k + 1):
        basis = left[:, : min(j, rank)]
        residual = own - basis @ np.linalg.lstsq(basis, own, rcond=None)[0] if basis.size else own
        energy = np.square(own).sum()
        expected = 1 - np.square(residual).sum() / energy if energy else 0.0
        assert found[j - 1] == pytest.approx(expected, abs=1e-6)


def test_a_kernel_of_full_rank_can_express_any_targets_and_one_of_low_rank_cannot():
    features, targets = random_world(n=8, dim=20)
    found = leading_alignment(features @ features.T, targets, 8)
    assert found[6] == pytest.approx(1)
    assert found[5] < 1
    low = features[:, :2]
    shares = leading_alignment(low @ low.T, targets, 8)
    assert shares[1] < 1
    assert (shares[1:] == shares[1]).all()


@given(worlds(), worlds())
@settings(max_examples=60, deadline=None)
def test_centred_alignment_is_that_of_features(first, second):
    n = min(len(first[0]), len(second[0]))
    x, y = (features[:n] - features[:n].mean(0) for features in (first[0], second[0]))
    norms = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    constant = min(np.abs(x).max(), np.abs(y).max()) < 1e-9
    expected = 0.0 if constant else np.linalg.norm(y.T @ x) ** 2 / norms
    grams = [features[:n] @ features[:n].T for features in (first[0], second[0])]
    assert centred_alignment(*grams) == pytest.approx(expected, abs=1e-7)
    assert centred_alignment(*grams[::-1]) == pytest.approx(centred_alignment(*grams), abs=1e-12)


@given(worlds(), st.sampled_from([1e-3, 1.0, 40.0]), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_nothing_depends_on_the_scale_rotation_or_place_of_the_features(world, scale, seed):
    features, targets = world
    dim = features.shape[1]
    rng = np.random.default_rng(seed)
    turned = scale * features @ np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    moved = turned + rng.normal(size=dim) * scale
    gram, same, shifted = (x @ x.T for x in (features, turned, moved))
    for measure in (kernel_target_alignment, label_gradient_alignment):
        assert measure(same, targets) == pytest.approx(measure(gram, targets), abs=1e-7)
    assert kernel_target_alignment(shifted, targets) == pytest.approx(kernel_target_alignment(gram, targets), abs=1e-7)
    if np.ptp(features, axis=0).max() > 0:
        assert centred_alignment(gram, shifted) == pytest.approx(1, abs=1e-7)


def diagnosed(features, ids=None, targets=None, noise=0.01):
    gram = features @ features.T
    gram = gram / max(np.diag(gram).mean(), 1e-300) if len(gram) else gram
    ids = [f"{i:03d}" for i in range(len(gram))] if ids is None else ids
    return diagnose(gram, ids, targets, noise, np.full(5, 0.2), np.full(5, 0.1))


def test_drift_is_zero_between_kernels_that_differ_in_scale_alone_and_grows_with_noise():
    features, _ = random_world(n=30)
    rng = np.random.default_rng(1)
    start = diagnosed(features)
    assert kernel_drift(start, start) == pytest.approx(0, abs=1e-12)
    assert kernel_drift(start, diagnosed(40 * features)) == pytest.approx(0, abs=DRIFT_ROUNDING)
    noise = rng.normal(size=features.shape)
    drifts = [kernel_drift(start, diagnosed(features + a * noise)) for a in (0.1, 0.5, 2.0)]
    assert 0 < drifts[0] < drifts[1] < drifts[2] <= 1


def test_drift_compares_the_frames_both_probes_hold_by_name():
    features, _ = random_world(n=90)
    other = np.random.default_rng(8).normal(size=features.shape)
    names = [f"{i:03d}" for i in range(90)]
    before = diagnosed(features[:70], names[:70])
    order = np.random.default_rng(2).permutation(64)
    after = diagnosed(other[order], [names[i] for i in order])
    expected = 1 - centred_alignment(features[:64] @ features[:64].T, other[:64] @ other[:64].T)
    assert kernel_drift(before, after) == pytest.approx(expected, abs=DRIFT_ROUNDING)
    later = diagnosed(other[60:90], names[60:90])
    expected = 1 - centred_alignment(features[60:64] @ features[60:64].T, other[60:64] @ other[60:64].T)
    assert kernel_drift(before, later) == pytest.approx(expected, abs=DRIFT_ROUNDING)


def test_drift_is_not_told_without_probes_or_with_fewer_than_three_frames_in_common():
    features, _ = random_world(n=10)
    known = diagnosed(features)
    assert kernel_drift({}, known) is None
    assert kernel_drift(known, {"drift": 0.1}) is None
    assert kernel_drift(known, diagnosed(features, [*"ab", *(f"{i:03d}" for i in range(2)), *"cdefgh"])) is None
    assert kernel_drift(known, diagnosed(features[:3])) == pytest.approx(0, abs=DRIFT_ROUNDING)


def test_diagnose_gives_what_the_functions_give_and_survives_json():
    features, targets = random_world(n=80, dim=50)
    gram = features @ features.T
    gram /= np.diag(gram).mean()
    ids = np.array([f"{i:06d}" for i in range(80)])[::-1]
    found = diagnose(gram, ids, targets, 0.04, np.array([0.5, 0.7]), np.array([0.1, 0.2]))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    values = spectrum(gram)
    assert found["eigenvalues"] == pytest.approx(values[:32] / np.trace(gram))
    assert found["largest_eigenvalue"] == pytest.approx(values[0])
    assert found["effective_dimension"] == pytest.approx(effective_dimension(gram, 0.04))
    assert found["target_alignment"] == pytest.approx(kernel_target_alignment(gram, targets))
    assert found["label_gradient_alignment"] == pytest.approx(label_gradient_alignment(gram, targets))
    assert found["leading_alignment"] == pytest.approx(leading_alignment(gram, targets, 8))
    assert found["variance_before"] == pytest.approx(0.6)
    assert found["variance_after"] == pytest.approx(0.15)
    assert found["probe"]["ids"] == ids[:64].tolist()
    np.testing.assert_allclose(found["probe"]["gram"], gram[:64, :64], rtol=5e-6)
    assert all(len(f"{abs(v):e}".split("e")[0].rstrip("0")) <= 7 for row in found["probe"]["gram"] for v in row)


def test_a_kernel_without_a_proxy_tells_no_alignment():
    found = diagnosed(random_world()[0])
    assert found.keys() == {
        "eigenvalues",
        "largest_eigenvalue",
        "effective_dimension",
        "variance_before",
        "variance_after",
        "probe",
    }


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("kind", ["zero", "constant", "rank one", "full"])
@pytest.mark.parametrize("flat", [True, False])
def test_degenerate_kernels_and_targets_give_finite_numbers(n, kind, flat):
    rng = np.random.default_rng(n)
    gram = {"zero": np.zeros((n, n)), "constant": np.ones((n, n)), "full": np.eye(n)}.get(kind)
    if gram is None:
        feature = rng.normal(size=(n, 1))
        gram = feature @ feature.T
    targets = np.full((n, 3), 0.1) if flat else rng.normal(size=(n, 3))
    found = diagnose(gram, [str(i) for i in range(n)], targets, 0.01, np.zeros(0), np.zeros(0))
    json.dumps(found, allow_nan=False)
    assert "variance_before" not in found
    assert "variance_after" not in found
    alignments = ("target_alignment", "label_gradient_alignment", "leading_alignment")
    assert [name in found for name in alignments] == [n > 1 and not flat] * 3
    if "leading_alignment" in found:
        assert len(found["leading_alignment"]) == n
        if kind in ("zero", "constant"):
            assert [found[name] for name in alignments] == [0.0, 0.0, [0.0] * n]
    assert kernel_target_alignment(gram, np.full((n, 3), 0.1)) == 0
    assert label_gradient_alignment(gram, np.full((n, 3), 0.1)) == 0
    assert leading_alignment(gram, np.full((n, 3), 0.1), 4).tolist() == [0.0] * 4
    drift = kernel_drift(found, found)
    if n < 3 or kind in ("zero", "constant"):
        assert drift is None
    else:
        assert drift == pytest.approx(0, abs=1e-12)


def test_the_mean_variance_of_no_frame_is_not_told():
    assert mean_variance(np.zeros(0)) is None
    assert mean_variance(np.array([1.0, 2.0])) == 1.5
