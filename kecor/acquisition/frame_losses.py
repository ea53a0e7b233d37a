"""How wrong a detector is of labelled frames: the loss of their regions of interest."""

from __future__ import annotations

import numpy as np

from kecor.errors import SelectionError
from kecor.structures import FrameSet

BETA = 1 / 9
"""Residual below which the smooth-L1 loss is quadratic (OpenPCDet)."""


def frame_losses(frames: FrameSet) -> np.ndarray:
    """(L,) float64 loss of each frame, NaN where a frame has no RoIs: nothing is said of it that could be wrong.

    As in the second stage of PV-RCNN (Shi et al. 2020, section 3.4): the binary cross-entropy of the class logits with
    the class targets, summed over classes, mean over the RoIs; plus the smooth-L1 loss of the residuals, which are what
    the RoI's box still lacks to the true one, mean over the matched RoIs. Matched is a RoI that has a class target and
    residuals; residuals that are all zero stand for none. An object that no RoI overlaps costs nothing.

    Args:
        frames: with ``roi_logits`` (L, R, K) and ``targets`` (L, R, K + residuals), and ``roi_mask`` (L, R) unless all
            RoIs are there. Targets without residuals are fine.

    Raises:
        SelectionError: an array is missing or does not fit, or a value of a RoI is not finite or no class target.
    """
    for name in ("roi_logits", "targets"):
        if name not in frames.feats:
            raise SelectionError(f"the labelled frames carry no {name!r}: their loss needs 'roi_logits' and 'targets'")
    logits, targets = frames.feats["roi_logits"], frames.feats["targets"]
    if logits.ndim != 3 or logits.shape[2] == 0:
        raise SelectionError(f"roi_logits: expected (frames, RoIs, classes), got {logits.shape}")
    if targets.ndim != 3 or targets.shape[:2] != logits.shape[:2] or targets.shape[2] < logits.shape[2]:
        raise SelectionError(
            f"targets: shape {targets.shape} does not fit roi_logits {logits.shape}; each RoI's first "
            f"{logits.shape[2]} targets are those of its classes, what follows are its box residuals"
        )
    mask = np.asarray(frames.feats.get("roi_mask", np.ones(logits.shape[:2], bool)), bool)
    if mask.shape != logits.shape[:2]:
        raise SelectionError(f"roi_mask: shape {mask.shape} does not fit roi_logits {logits.shape}")
    losses = np.full(len(frames), np.nan)
    for i in np.flatnonzero(mask.any(1)):
        try:
            losses[i] = _loss(*(np.asarray(a[i], np.float64)[mask[i]] for a in (logits, targets)))
        except SelectionError as error:
            raise SelectionError(f"frame {str(frames.ids[i])!r}: {error}") from error
    return losses


def _loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """Of one frame's RoIs (R, K) with targets (R, K + residuals)."""
    classes, residuals = np.split(targets, [logits.shape[1]], axis=1)
    if not (np.isfinite(logits).all() and np.isfinite(residuals).all()):
        raise SelectionError("its roi_logits or targets are not finite")
    if not ((classes >= 0) & (classes <= 1)).all():
        raise SelectionError(
            f"its targets: the first {logits.shape[1]} of a RoI are those of its classes and must lie in [0, 1]"
        )
    matched = (classes > 0).any(1) & (residuals != 0).any(1)
    size = np.abs(residuals[matched])
    box = np.where(size < BETA, size**2 / (2 * BETA), size - BETA / 2).sum()
    cross_entropy = (np.logaddexp(0, logits) - classes * logits).sum()
    return cross_entropy / len(logits) + box / max(1, matched.sum())
