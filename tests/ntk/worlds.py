"""Small random frames for the tests of kernels."""

import numpy as np

from kecor.structures import FrameSet


def frame_set(n=5, n_rois=4, channels=6, outputs=3, seed=0, prefix="f", scores=True):
    """Frames with ragged numbers of RoIs, the last frame without any; targets are a smooth function of the features."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, n_rois, channels))
    mask = np.arange(n_rois) < rng.integers(1, n_rois + 1, size=(n, 1))
    mask[-1] = False
    mixing = np.random.default_rng(99).normal(size=(channels, outputs))
    feats = {"roi_features": features, "roi_mask": mask, "targets": np.tanh(features @ mixing)}
    if scores:
        feats["roi_scores"] = rng.uniform(0.05, 1, size=(n, n_rois))
    return FrameSet([f"{prefix}{i:03d}" for i in range(n)], feats)
