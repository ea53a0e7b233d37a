"""One feature vector per frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from kecor.acquisition.arguments import check_choice
from kecor.errors import SelectionError
from kecor.ntk import RoiFrames
from kecor.progress import progress_bar
from kecor.structures import FrameSet

FEATURES = ("roi_features", "embedding")


def checked_feature(feature: str) -> str:
    """``feature`` if it is one of :data:`FEATURES`.

    Raises:
        ConfigError: it is not.
    """
    check_choice("feature", feature, FEATURES)
    return feature


def frame_vectors(frames: FrameSet, feature: str) -> tuple[Tensor, np.ndarray]:
    """One float32 vector per frame, in the order of the ids, and which frames have one.

    Args:
        frames: with the feature. Frames without ``roi_features`` fall back to ``embedding``.
        feature: ``roi_features`` for the score-weighted mean over a frame's RoIs, or ``embedding`` for the detector's
            feature vector of the whole frame.

    Returns:
        (N, D) vectors and (N,) bool; a frame without RoIs has no vector (zeros, False).

    Raises:
        SelectionError: the feature is missing, has a wrong shape or is not finite.
    """
    if not len(frames):
        return torch.zeros(0, 0), np.zeros(0, bool)
    if feature == "embedding":
        if feature not in frames.feats:
            raise SelectionError("the frames carry no 'embedding'")
        frames = replace(frames, feats={feature: frames.feats[feature]})
    rois = RoiFrames(frames, dtype=torch.float64)
    vectors = torch.empty(len(frames), rois.width)
    with progress_bar("features", len(frames), "frame", delay=3.0) as bar:
        for chunk in rois.chunks(np.arange(len(frames))):
            x, w = rois.read(chunk)
            vectors[torch.from_numpy(chunk)] = (w[:, None] @ x)[:, 0].float()
            bar.update(len(chunk))
    bad = np.flatnonzero(~vectors.isfinite().all(1).numpy())
    if len(bad):
        rois.check(bad)  # names the frame if its features are the cause
        raise SelectionError(f"frame {str(rois.ids[rois.order[bad[0]]])!r}: its mean feature is too large for float32")
    return vectors, np.asarray(rois.mask[rois.order].any(1))


def pair_vectors(pool: FrameSet, labelled: FrameSet, feature: str) -> tuple[Tensor, np.ndarray, Tensor]:
    """:func:`frame_vectors` of both sets.

    Returns:
        The pool's vectors (N, D), which of its frames have one (N,), and the vectors (L, D) of those labelled frames
        that have one.

    Raises:
        SelectionError: a feature is missing, has a wrong shape or is not finite, or the two sets differ in D.
    """
    unknown, present = frame_vectors(pool, feature)
    known, has_vector = frame_vectors(labelled, feature)
    if not has_vector.any():
        return unknown, present, unknown[:0]
    if len(pool) and known.shape[1] != unknown.shape[1]:
        raise SelectionError(
            f"features of labelled frames have {known.shape[1]} values, of the pool {unknown.shape[1]}"
        )
    return unknown, present, known[torch.from_numpy(has_vector)]
