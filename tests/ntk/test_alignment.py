"""Measures of a kernel against their definitions in feature space."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kecor.ntk.alignment import (
    centred_alignment,
    effective_dimension,
    kernel_target_alignment,
    label_gradient_alignment,
    leading_alignment,
    spectrum,
)

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True)


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
@SETTINGS
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
@SETTINGS
def test_the_effective_dimension_is_the_trace_of_ridge_regressions_hat_matrix(world, noise):
    features, _ = world
    n, dim = features.shape
    hat = features @ np.linalg.solve(features.T @ features + noise * np.eye(dim), features.T)
    found = effective_dimension(spectrum(features @ features.T), noise)
    assert found == pytest.approx(np.trace(hat), rel=1e-6, abs=1e-9)
    assert 0 <= found <= min(n, dim) + 1e-9


def test_the_effective_dimension_counts_directions_above_the_noise():
    assert effective_dimension(np.array([1.0, 1.0, 1.0, 0.0]), 1e-9) == pytest.approx(3)
    assert effective_dimension(np.ones(4), 1.0) == pytest.approx(2)
    assert effective_dimension(np.ones(4), 1e9) == pytest.approx(0, abs=1e-6)


@given(worlds())
@SETTINGS
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
@SETTINGS
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
@SETTINGS
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
@SETTINGS
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
@SETTINGS
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
