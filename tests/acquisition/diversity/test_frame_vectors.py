"""Frame vectors against the mean written out."""

import numpy as np
import pytest
import torch

from kecor.acquisition.diversity.frame_vectors import frame_vectors, pair_vectors
from kecor.errors import SelectionError
from kecor.structures import FrameSet
from tests.acquisition.worlds import take, world

POOL = world(24, seed=1)


def weighted_means(frames):
    weights = np.where(frames.feats["roi_mask"], frames.feats["roi_scores"], 0.0).astype(np.float64)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-12)
    return (frames.feats["roi_features"].astype(np.float64) * weights[..., None]).sum(1)


def test_a_frame_is_its_mean_roi_weighted_by_scores():
    vectors, present = frame_vectors(take(POOL, np.arange(24)[::-1]), "roi_features")
    np.testing.assert_allclose(vectors.numpy(), weighted_means(POOL), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(present, POOL.feats["roi_mask"].any(1))
    assert not vectors[~torch.from_numpy(present)].any()
    vectors, present = frame_vectors(POOL, "embedding")
    np.testing.assert_array_equal(vectors.numpy(), POOL.feats["embedding"])
    assert present.all()


def test_features_that_cannot_be_used_are_named():
    with pytest.raises(SelectionError, match="no 'embedding'"):
        frame_vectors(FrameSet(["a"], {"roi_features": np.zeros((1, 2, 3))}), "embedding")
    broken = take(POOL, range(24))
    broken.feats["roi_features"][5, 0, 2] = np.nan
    with pytest.raises(SelectionError, match="'p0005'"):
        frame_vectors(broken, "roi_features")
    assert frame_vectors(FrameSet([]), "roi_features")[0].shape[0] == 0


def test_labelled_frames_without_rois_are_left_out():
    labelled = world(12, seed=2, prefix="l")
    unknown, present, known = pair_vectors(POOL, labelled, "roi_features")
    assert (len(unknown), present.sum()) == (24, POOL.feats["roi_mask"].any(1).sum())
    np.testing.assert_allclose(
        known.numpy(), weighted_means(labelled)[labelled.feats["roi_mask"].any(1)], rtol=1e-5, atol=1e-6
    )
    assert pair_vectors(POOL, FrameSet([]), "embedding")[2].shape == (0, 8)
