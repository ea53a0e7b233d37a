"""The loss of a detector on labelled frames, computed from their RoIs."""

from __future__ import annotations

import numpy as np

from kecor.errors import SelectionError
from kecor.structures import FrameSet

BETA = 1 / 9
"""The smooth-L1 loss is quadratic for residuals below this (OpenPCDet)."""


def frame_losses(frames: FrameSet) -> np.ndarray:
    """(L,) float64 loss of each labelled frame; NaN for a frame without RoIs.

    As in the second stage of PV-RCNN (Shi et al. 2020, section 3.4): binary cross-entropy between class logits and
    class targets, summed over classes and averaged over RoIs, plus the smooth-L1 loss of the box residuals, averaged
    over matched RoIs. A RoI is matched if it has a class target and residuals that are not all 0. Objects that no RoI
    overlaps do not contribute.

    Args:
        frames: with ``roi_logits`` (L, R, K), ``targets`` (L, R, K + residuals, possibly none) and optionally
            ``roi_mask`` (L, R).

    Raises:
        SelectionError: an array is missing or has a wrong shape, or a value of a RoI is not finite or not a class
            target; the message names the frame.
    """
    for name in ("roi_logits", "targets"):
        if name not in frames.feats:
            raise SelectionError(f"the labelled frames carry no {name!r}; their loss needs 'roi_logits' and 'targets'")
    logits, targets = frames.feats["roi_logits"], frames.feats["targets"]
    if logits.ndim != 3 or logits.shape[2] == 0:
        raise SelectionError(f"roi_logits: expected (frames, RoIs, classes), got {logits.shape}")
    if targets.ndim != 3 or targets.shape[:2] != logits.shape[:2] or targets.shape[2] < logits.shape[2]:
        raise SelectionError(
            f"targets: shape {targets.shape} does not fit roi_logits {logits.shape}; expected {logits.shape[2]} class "
            "targets per RoI, followed by box residuals"
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
    """The loss of one frame from the logits (R, K) and targets (R, K + residuals) of its RoIs."""
    classes, residuals = np.split(targets, [logits.shape[1]], axis=1)
    if not (np.isfinite(logits).all() and np.isfinite(residuals).all()):
        raise SelectionError("its roi_logits or targets are not finite")
    if not ((classes >= 0) & (classes <= 1)).all():
        raise SelectionError(f"its targets: the first {logits.shape[1]} of a RoI are class targets; expected 0 to 1")
    matched = (classes > 0).any(1) & (residuals != 0).any(1)
    size = np.abs(residuals[matched])
    box = np.where(size < BETA, size**2 / (2 * BETA), size - BETA / 2).sum()  # smooth L1
    cross_entropy = (np.logaddexp(0, logits) - classes * logits).sum()  # -t log s(z) - (1 - t) log(1 - s(z))
    return cross_entropy / len(logits) + box / max(1, matched.sum())
