"""Gradient embeddings against automatic differentiation, and copies of vectors."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from kecor.acquisition.diversity.distances import TWIN
from kecor.acquisition.diversity.duplicates import Copies
from kecor.acquisition.gradient.embeddings import balanced_residuals, fisher_roots, flat, gradient_embeddings, residuals
from kecor.errors import SelectionError
from kecor.structures import FrameSet
from tests.acquisition.worlds import CHANNELS, CLASSES, N_ROIS, take, world

POOL, LABELLED = world(24, seed=1), world(5, seed=2, prefix="l")


def embed(pool=POOL, labelled=None, coefficients=residuals, dim=None, seed=0, rows=None):
    return gradient_embeddings(pool, labelled, coefficients, dim, np.random.default_rng(seed), rows)


def changed(name, array, frames=POOL):
    return FrameSet(frames.ids, {**frames.feats, name: array}, frames.detections)


def weights(i):
    scores = POOL.feats["roi_scores"][i].astype(np.float64) * POOL.feats["roi_mask"][i]
    return scores / max(scores.sum(), 1e-300)


def test_residuals_are_the_gradient_of_the_loss_of_what_the_detector_believes():
    vectors, none = embed()
    assert vectors.shape == (24, CLASSES, CHANNELS)
    assert none.shape == (0, CLASSES, CHANNELS)
    for i in range(24):
        x, z = (torch.from_numpy(POOL.feats[n][i]).double() for n in ("roi_features", "roi_logits"))
        # a last layer whose logits are those given whatever the features: its weights are zero, its biases differ
        layer = torch.zeros(CLASSES, CHANNELS, dtype=torch.float64, requires_grad=True)
        label = (z > 0).double()
        loss = binary_cross_entropy_with_logits(x @ layer.T + z, label, reduction="none").sum(1)
        (loss * torch.from_numpy(weights(i))).sum().backward()
        np.testing.assert_allclose(vectors[i], layer.grad, atol=1e-6)
    assert not vectors[~POOL.feats["roi_mask"].any(1)].any()


def test_no_label_has_a_shorter_gradient_and_a_sure_detector_the_shortest():
    p = torch.tensor([[[0.01, 0.02, 0.01], [0.2, 0.1, 0.1], [0.45, 0.4, 0.3], [0.97, 0.02, 0.01]]], dtype=torch.float64)
    w = torch.ones(1, 4, dtype=torch.float64)
    labels = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 3)
    every = (p[:, :, None] - labels).square().sum(3)
    lengths = residuals(p, w).square().sum(2)
    torch.testing.assert_close(lengths, every.amin(2))
    assert lengths[0].argsort().tolist() == [0, 3, 1, 2]  # sure of background, sure of a car, less and less sure


def test_squared_fisher_roots_are_expected_squared_residuals():
    p = torch.rand(1, 7, CLASSES, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    root = fisher_roots(p, torch.ones(1, 7, dtype=torch.float64))
    torch.testing.assert_close(root**2, p * (p - 1) ** 2 + (1 - p) * p**2)


def test_fisher_vectors_hold_no_more_information_than_their_rois():
    vectors, _ = embed(coefficients=fisher_roots)
    for i in range(24):
        p = 1 / (1 + np.exp(-POOL.feats["roi_logits"][i].astype(np.float64)))
        h = POOL.feats["roi_features"][i].astype(np.float64)
        for c in range(CLASSES):
            whole = np.einsum("r,rc,rd->cd", weights(i) * p[:, c] * (1 - p[:, c]), h, h)
            rest = whole - np.outer(vectors[i, c], vectors[i, c])
            assert np.linalg.eigvalsh(rest).min() > -1e-6


def test_balanced_residuals_give_each_predicted_class_the_same_share():
    p = torch.tensor([[[0.9, 0.1], [0.8, 0.3], [0.2, 0.7], [0.6, 0.5]]], dtype=torch.float64)
    w = torch.tensor([[0.5, 0.3, 0.2, 0.0]], dtype=torch.float64)
    expected = torch.tensor([[0.5 * 5 / 8, 0.5 * 3 / 8, 0.5, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(balanced_residuals(p, w), residuals(p, expected))
    assert not balanced_residuals(p, torch.zeros_like(w)).any()


def test_projection_is_shared_and_keeps_inner_products_on_average():
    both = FrameSet(["z"], {name: array[[7]] for name, array in POOL.feats.items()})
    found, known = embed(labelled=both, dim=4)
    assert found.shape == (24, CLASSES, 4)
    np.testing.assert_array_equal(found[7], known[0])
    exact = flat(embed()[0])
    mean = np.mean([(v := flat(embed(dim=4, seed=s)[0])) @ v.T for s in range(400)], axis=0)
    np.testing.assert_allclose(mean, exact @ exact.T, atol=0.1 * np.square(exact).sum(1).max())


def test_chosen_rows_in_the_order_of_the_ids_from_half_precision():
    shuffled = take(POOL, np.random.default_rng(0).permutation(24))
    rows = np.array([20, 3])
    np.testing.assert_array_equal(embed(shuffled, rows=rows)[0], embed()[0][rows])
    half = changed("roi_features", POOL.feats["roi_features"].astype(np.float16))
    np.testing.assert_allclose(embed(half)[0], embed()[0], atol=5e-3)


def test_what_stands_in_places_without_a_roi_does_not_matter():
    logits = np.where(POOL.feats["roi_mask"][..., None], POOL.feats["roi_logits"], np.nan)
    np.testing.assert_array_equal(embed(changed("roi_logits", logits))[0], embed()[0])


@pytest.mark.parametrize("name", ["roi_features", "roi_logits"])
def test_a_missing_array_is_named(name):
    lacking = FrameSet(POOL.ids, {key: array for key, array in POOL.feats.items() if key != name})
    with pytest.raises(SelectionError, match=f"carry no '{name}'"):
        embed(lacking)


def test_faulty_arrays_are_named():
    with pytest.raises(SelectionError, match=r"roi_logits: shape \(24, 2, 3\) does not fit"):
        embed(changed("roi_logits", POOL.feats["roi_logits"][:, :2]))
    for name, message in (("roi_logits", "its roi_logits are not"), ("roi_features", "its features are not")):
        array = POOL.feats[name].copy()
        array[4, 0] = np.nan
        with pytest.raises(SelectionError, match=f"'p0004': {message}"):
            embed(changed(name, array))
    fewer = changed("roi_logits", LABELLED.feats["roi_logits"][..., :2], LABELLED)
    with pytest.raises(SelectionError, match="labelled frames have 2 classes and 8 channels, the pool 3 and 8"):
        embed(labelled=fewer)


def test_copies_are_those_a_plain_comparison_finds():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(40, N_ROIS)).astype(np.float32)
    near = base[:10] * np.float32(1 + 1e-6)
    turned = base[:10, ::-1]  # as long as their originals
    vectors = np.concatenate([base, base[:10], near, turned, np.zeros((3, N_ROIS), np.float32)])
    copies = Copies(vectors, base[[5]])
    expected = np.zeros(len(vectors), bool)
    for row in (None, 0, 62, 71, 45):
        vector = base[5] if row is None else vectors[row]
        if row is not None:
            copies.mark(vector)
        apart = np.square(vectors.astype(np.float64) - vector).sum(1)
        longer = np.maximum(np.square(vectors.astype(np.float64)).sum(1), np.square(vector.astype(np.float64)).sum())
        expected |= apart <= TWIN * longer
        np.testing.assert_array_equal(copies.marked, expected)
    assert copies.marked.sum() == 3 * 2 + 1 + 3  # 0 and 5 with two copies each, 62 alone, the zeros
    left = np.ones(len(vectors), bool)
    np.testing.assert_array_equal(copies.not_copies(left), ~expected)
    np.testing.assert_array_equal(copies.not_copies(expected), expected)
