"""Fitting the proxy head: it converges where the released one diverges, repeats itself, and says when it failed."""

import numpy as np
import pytest
import torch

from kecor.errors import SelectionError
from kecor.ntk import ProxyHead, RoiFrames, fit_proxy, training_pairs
from tests.ntk.worlds import frame_set, nasty_frame_set


def pairs_of(frames, arrangement="per_roi", standardise=True):
    scaling = RoiFrames(frames).statistics() if standardise else None
    return training_pairs(RoiFrames(frames, arrangement, scaling), frames.feats["targets"])


def large_frames():
    """Un-normalised inputs, as a detector's raw RoI features are."""
    frames = frame_set(n=30, n_rois=8)
    frames.feats["roi_features"] = frames.feats["roi_features"] * 300 + 1000
    return frames


def fit(pairs, seed=0, **options):
    return fit_proxy(*pairs, torch.Generator().manual_seed(seed), **{"steps": 150, "hidden": (64, 32), **options})


def test_standardised_fit_converges_on_large_inputs():
    result = fit(pairs_of(large_frames()))
    assert result.converged
    assert result.loss_mean == pytest.approx(1, rel=1e-4)
    assert result.loss_last < 0.2
    assert len(result.losses) == 150


def test_raw_large_inputs_with_the_released_steps_do_not_converge():
    pairs = pairs_of(large_frames(), "flatten", standardise=False)
    assert not fit(pairs, steps=10, learning_rate=0.02, standardise=False).converged


def test_flattened_fit_ignores_targets_of_padding():
    frames = frame_set(n=20)
    frames.feats["targets"][~frames.feats["roi_mask"]] = np.nan
    x, t, mask = pairs_of(frames, "flatten")
    assert x.shape == (20, 24)
    assert t.shape == mask.shape == (20, 12)
    assert fit((x, t, mask)).converged
    changed = torch.where(mask, t, torch.full_like(t, 50.0))
    assert fit((x, changed, mask)).losses == fit((x, t, mask)).losses


def test_same_generator_same_fit_and_the_global_one_is_left_alone():
    pairs = pairs_of(frame_set(n=20))
    before = torch.get_rng_state()
    first, second, other = fit(pairs), fit(pairs), fit(pairs, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    assert first.losses == second.losses != other.losses
    for a, b in zip(first.head.parameters(), second.head.parameters()):
        assert torch.equal(a, b)


def test_small_batches_are_drawn_when_rows_are_many():
    assert fit(pairs_of(frame_set(n=30, n_rois=8)), batch_size=16, steps=300).converged


def test_padding_rois_does_not_change_the_pairs():
    frames = frame_set()
    padded = frame_set()
    padded.feats = {k: np.concatenate([v, np.zeros_like(v[:, :2])], 1) for k, v in frames.feats.items()}
    for a, b in zip(pairs_of(frames), pairs_of(padded)):
        assert torch.equal(a, b)


def test_pairs_are_the_valid_rois_in_the_order_of_the_ids_with_their_own_targets():
    frames = nasty_frame_set(6)
    order, mask = np.argsort(frames.ids), frames.feats["roi_mask"]
    x, t, counts = training_pairs(RoiFrames(frames, dtype=torch.float64), frames.feats["targets"])
    np.testing.assert_array_equal(x, frames.feats["roi_features"][order][mask[order]])
    np.testing.assert_array_equal(t, frames.feats["targets"][order][mask[order]])
    assert counts.all()
    x, t, counts = training_pairs(RoiFrames(frames, "flatten", dtype=torch.float64), frames.feats["targets"])
    valid = mask[order, :, None]
    np.testing.assert_array_equal(t, np.where(valid, frames.feats["targets"][order], 0).reshape(6, -1))
    np.testing.assert_array_equal(x, np.where(valid, frames.feats["roi_features"][order], 0).reshape(6, -1))
    np.testing.assert_array_equal(counts, np.broadcast_to(valid, (6, 4, 3)).reshape(6, -1))


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
def test_losses_are_mean_squared_errors_of_the_targets_that_count(arrangement, standardise):
    x, t, mask = pairs_of(frame_set(n=12), arrangement)
    result = fit((x, t, mask), steps=3, standardise=standardise)
    t, mask = t.double().numpy(), mask.numpy()
    columns = [t[mask[:, j], j] for j in range(t.shape[1])]
    mean, std = (np.array([f(c) if len(c) else 0 for c in columns]) for f in (np.mean, np.std))
    if standardise:
        t, mean = (t - mean) / np.where(std > 0, std, 1), 0 * mean

    def loss(predicted):
        return np.square(predicted - t)[mask].mean()

    start = ProxyHead(x.shape[1], t.shape[1], torch.Generator().manual_seed(0), (64, 32))
    assert result.loss_mean == pytest.approx(loss(mean), rel=1e-5)
    assert result.losses[0] == result.loss_first == pytest.approx(loss(start(x).detach().numpy()), rel=1e-5)
    assert result.loss_last == pytest.approx(loss(result.head(x).numpy()), rel=1e-5)
    assert not any(p.requires_grad for p in result.head.parameters())


def test_a_loss_that_is_not_finite_is_no_convergence():
    x, t, mask = pairs_of(frame_set(n=20))
    result = fit((x * 1e25, t, mask), steps=3)
    assert not np.isfinite(result.loss_last)
    assert not result.converged


def test_divergence_is_told_by_a_loss_above_the_mean_predictors():
    result = fit(pairs_of(frame_set(n=20)), learning_rate=100.0, steps=5)
    assert not result.converged


def test_constant_targets_are_no_divergence():
    frames = frame_set(n=20)
    frames.feats["targets"][:] = 3.0
    result = fit(pairs_of(frames))
    assert result.loss_mean == 0
    assert result.converged


def test_targets_that_do_not_fit_are_errors():
    frames = frame_set()
    with pytest.raises(SelectionError, match="shape"):
        training_pairs(RoiFrames(frames), np.zeros((5, 3, 2)))
    frames.feats["targets"][0, 0, 0] = np.nan
    with pytest.raises(SelectionError, match="not finite"):
        training_pairs(RoiFrames(frames), frames.feats["targets"])


def test_head_has_the_published_widths():
    head = ProxyHead(256, 10, torch.Generator().manual_seed(0))
    assert [tuple(layer.weight.shape) for layer in head.layers] == [(512, 256), (100, 512), (10, 100)]
