"""Frames as vectors, one each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from kecor.acquisition.base import check_argument
from kecor.errors import SelectionError
from kecor.ntk import RoiFrames
from kecor.progress import progress_bar
from kecor.structures import FrameSet

FEATURES = ("roi_features", "embedding")


def checked_feature(feature: str) -> str:
    """``feature`` when it is one of :data:`FEATURES`.

    Raises:
        ConfigError: it is not.
    """
    check_argument("feature", feature, feature in FEATURES, f"one of {', '.join(FEATURES)}")
    return feature


def frame_vectors(frames: FrameSet, feature: str) -> tuple[Tensor, np.ndarray]:
    """One float32 vector a frame, in the order of the ids, and which frames have one: a frame without RoIs has none.

    ``roi_features`` gives the mean over a frame's RoIs, weighted by their scores (of frames that carry no RoIs, the
    embedding stands in); ``embedding`` the detector's vector of the whole frame.

    Returns:
        (N, D) vectors, zero where there is none, and (N,) bool.

    Raises:
        SelectionError: the feature is not there, misshapen or not finite.
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
        rois.check(bad)
        raise SelectionError(
            f"frame {str(rois.ids[rois.order[bad[0]]])!r}: its mean feature is beyond single precision"
        )
    return vectors, np.asarray(rois.mask[rois.order].any(1))


def pair_vectors(pool: FrameSet, labelled: FrameSet, feature: str) -> tuple[Tensor, np.ndarray, Tensor]:
    """:func:`frame_vectors` of both sets: the pool's (N, D), which of them are there (N,), and those (L, D) of the
    labelled frames that have one.

    Raises:
        SelectionError: a feature is not there, misshapen or not finite, or the two sets differ in D.
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
