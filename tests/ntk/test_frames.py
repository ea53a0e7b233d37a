"""Reading frames: weights, scaling, padding, order, bad values."""

import numpy as np
import pytest
import torch

from kecor.errors import SelectionError
from kecor.ntk import RoiFrames
from kecor.structures import FrameSet
from tests.ntk.worlds import frame_set


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


def test_scaling_makes_valid_rois_standard_and_padding_stays_zero(monkeypatch):
    frames = frame_set(n=40)
    frames.feats["roi_features"] = frames.feats["roi_features"] * 1e3 + 5e3
    frames.feats["roi_features"][..., 2] = 4.0  # a constant channel
    monkeypatch.setattr("kecor.ntk.frames.BLOCK_VALUES", 3 * 4 * 6)
    scaling = RoiFrames(frames).statistics()
    x, _ = RoiFrames(frames, scaling=scaling, dtype=torch.float64).read(slice(None))
    mask = frames.feats["roi_mask"]
    valid = x.numpy()[mask]
    np.testing.assert_allclose(valid.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(valid.std(0), [1, 1, 0, 1, 1, 1], atol=1e-9)
    assert not x.numpy()[~mask].any()


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


def test_a_value_that_is_not_finite_names_its_frame_unless_it_is_padding():
    frames = frame_set()
    frames.feats["roi_features"][~frames.feats["roi_mask"]] = np.nan
    RoiFrames(frames).read(slice(None))
    frames.feats["roi_features"][2, 0, 0] = np.inf
    with pytest.raises(SelectionError, match="'f002'"):
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
