"""Reading frames: weights, scaling, padding, order, bad values."""

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kecor.errors import SelectionError
from kecor.ntk import RoiFrames
from kecor.ntk.roi_frames import MIN_SPREAD
from kecor.structures import FrameSet
from tests.ntk.worlds import frame_set, nasty_frame_set


def test_weights_are_normalised_scores_of_valid_rois():
    frames = frame_set()
    _, w = RoiFrames(frames, dtype=torch.float64).read(slice(None))
    scores = frames.feats["roi_scores"] * frames.feats["roi_mask"]
    np.testing.assert_allclose(w[:-1].numpy(), (scores / scores.sum(1, keepdims=True).clip(1e-9))[:-1], rtol=1e-12)
    assert not w[-1].any()


def test_weights_are_equal_without_scores_and_with_scores_of_zero():
    plain = frame_set(scores=False)
    zero = FrameSet(plain.ids, {**plain.feats, "roi_scores": np.zeros((5, 4))})
    mask = plain.feats["roi_mask"]
    expected = mask / mask.sum(1, keepdims=True).clip(1)
    for frames in (plain, zero):
        np.testing.assert_allclose(RoiFrames(frames).read(slice(None))[1].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
def test_scaling_makes_valid_rois_standard_and_padding_stays_zero(arrangement, monkeypatch):
    frames = frame_set(n=40)
    frames.feats["roi_features"] = frames.feats["roi_features"] * 1e3 + 5e3
    frames.feats["roi_features"][..., 2] = 4.0  # a constant channel
    monkeypatch.setattr("kecor.ntk.roi_frames.FEW_VALUES", 3 * 4 * 6)
    monkeypatch.setattr("kecor.ntk.roi_frames.MANY_VALUES", 3 * 4 * 6)
    scaling = RoiFrames(frames, arrangement).statistics()
    x, _ = RoiFrames(frames, arrangement, scaling, torch.float64).read(slice(None))
    mask = frames.feats["roi_mask"]
    x = x.numpy().reshape(40, 4, 6)
    np.testing.assert_allclose(x[mask].mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(x[mask].std(0), [1, 1, 0, 1, 1, 1], atol=1e-9)
    assert not x[~mask].any()


def test_a_channel_of_noise_is_not_blown_up():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 4, 3)) * [1, 0.01, 1e-7]
    scaling = RoiFrames(FrameSet(np.arange(50), {"roi_features": features})).statistics()
    spread = features.reshape(-1, 3).std(0)
    np.testing.assert_allclose(scaling.std, [spread[0], spread[1], MIN_SPREAD * spread[0]], rtol=1e-9)
    constant = RoiFrames(FrameSet(["a", "b"], {"embedding": np.full((2, 3), 5.0)})).statistics()
    assert constant.std.tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_single_precision_of_features_far_from_zero(dtype):
    """What scaling leaves of a feature is as exact as the feature itself was stored."""
    frames = frame_set(n=30)
    frames.feats["roi_features"] = (frames.feats["roi_features"] + 50).astype(dtype)
    scaling = RoiFrames(frames).statistics()
    exact, single = (
        RoiFrames(frames, scaling=scaling, dtype=d).read(slice(None))[0] for d in (torch.float64, torch.float32)
    )
    np.testing.assert_allclose(single.numpy(), exact.numpy(), atol=2e-5)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 30), st.integers(1, 6), st.integers(1, 8), st.integers(1, 400), st.integers(0, 100))
def test_chunks_are_consecutive_and_small_enough(n, n_rois, channels, values, seed):
    positions = np.random.default_rng(seed).permutation(30)[:n]
    frames = RoiFrames(FrameSet(np.arange(30), {"roi_features": np.zeros((30, n_rois, channels))}))
    with mock.patch.multiple("kecor.ntk.roi_frames", FEW_VALUES=values, MANY_VALUES=values):
        chunks = list(frames.chunks(positions))
    assert np.concatenate([*chunks, []]).tolist() == positions.tolist()
    assert all(len(chunk) > 0 and (len(chunk) == 1 or len(chunk) * n_rois * channels <= values) for chunk in chunks)


def test_reading_leaves_the_arrays_alone():
    frames = frame_set()
    scaling = RoiFrames(frames).statistics()
    before = {name: array.copy() for name, array in frames.feats.items()}
    for arrangement in ("per_roi", "flatten"):
        for some in (None, scaling):
            x, w = RoiFrames(frames, arrangement, some, torch.float64).read(slice(None))
            x += 1
            w += 1
    for name, array in before.items():
        np.testing.assert_array_equal(frames.feats[name], array)


def test_frames_are_read_in_the_order_of_their_ids():
    frames = frame_set()
    order = np.array([3, 0, 4, 2, 1])
    shuffled = FrameSet(frames.ids[order], {k: v[order] for k, v in frames.feats.items()})
    for a, b in zip(RoiFrames(frames).read(slice(None)), RoiFrames(shuffled).read(slice(None))):
        assert torch.equal(a, b)


def test_an_embedding_is_one_roi():
    embedding = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    x, w = RoiFrames(FrameSet(["a", "b", "c"], {"embedding": embedding})).read(slice(None))
    np.testing.assert_array_equal(x.numpy()[:, 0], embedding)
    assert w.tolist() == [[1], [1], [1]]


def test_flattened_frames_are_zero_padded_rows():
    frames = frame_set()
    x, w = RoiFrames(frames, "flatten", dtype=torch.float64).read(slice(None))
    expected = (frames.feats["roi_features"] * frames.feats["roi_mask"][..., None]).reshape(5, 1, -1)
    np.testing.assert_array_equal(x.numpy(), expected)
    assert w[:, 0].tolist() == [1, 1, 1, 1, 0]


@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_names_its_frame_unless_it_is_padding(value, arrangement, monkeypatch):
    monkeypatch.setattr("kecor.ntk.roi_frames.FEW_VALUES", 1)
    frames = nasty_frame_set(5)
    frames.feats["roi_features"][~frames.feats["roi_mask"]] = value
    read = RoiFrames(frames, arrangement)
    read.check()
    assert read.read(slice(None))[0].isfinite().all()
    assert np.isfinite(read.statistics().mean).all()
    row = int(np.flatnonzero(frames.ids == "f002")[0])
    frames.feats["roi_features"][row, 0, 0] = value
    with pytest.raises(SelectionError, match="frame 'f002': its features are not finite"):
        read.check()
    with pytest.raises(SelectionError, match="frame 'f002': its features are not finite"):
        read.check(np.array([0, 2, 3]))
    read.check(np.array([0, 3]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1])
def test_scores_that_are_negative_or_not_finite_name_their_frame_unless_they_are_padding(value):
    frames = frame_set()
    frames.feats["roi_scores"][~frames.feats["roi_mask"]] = value
    RoiFrames(frames).read(slice(None))
    frames.feats["roi_scores"][3, 0] = value
    with pytest.raises(SelectionError, match="frame 'f003': a roi_score is negative or not finite"):
        RoiFrames(frames).read(slice(None))


@pytest.mark.parametrize(
    ("feats", "message"),
    [
        ({}, "neither"),
        ({"roi_features": np.zeros((2, 3))}, "channels"),
        ({"roi_features": np.zeros((2, 3, 4)), "roi_mask": np.ones((2, 5))}, "roi_mask"),
        ({"roi_features": np.zeros((2, 3, 4)), "roi_scores": np.ones((2, 5))}, "roi_scores"),
    ],
)
def test_missing_and_misshapen_features_are_errors(feats, message):
    with pytest.raises(SelectionError, match=message):
        RoiFrames(FrameSet(["a", "b"], feats))


def test_statistics_need_a_valid_roi():
    with pytest.raises(SelectionError, match="no labelled frame has a valid RoI"):
        RoiFrames(frame_set(n=1)).statistics()
