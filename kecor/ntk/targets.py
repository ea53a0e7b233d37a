"""Inputs and targets of the proxy head, taken from the labelled frames."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kecor.errors import SelectionError
from kecor.ntk.roi_frames import RoiFrames


def per_roi_targets(frames: RoiFrames, targets: np.ndarray) -> np.ndarray:
    """``targets`` as (L, R, T) float64, in the order of the frame set; (L, T) is read as one RoI per frame.

    Raises:
        SelectionError: the shape does not match the RoIs, or a target of a valid RoI is not finite.
    """
    targets = np.asarray(targets, np.float64)
    if targets.ndim == 2:
        targets = targets[:, None]
    if targets.ndim != 3 or targets.shape[:2] != frames.mask.shape:
        raise SelectionError(f"targets: got shape {targets.shape}; expected (L, R) = {frames.mask.shape} and T")
    if not np.isfinite(targets[frames.mask]).all():
        raise SelectionError("targets: a target of a labelled RoI is not finite")
    return targets


def training_pairs(frames: RoiFrames, targets: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (n, in), targets (n, out) and a mask (n, out) of the targets that count.

    There is one row per valid RoI; for flattened frames one row per frame, with ``out = R T``.

    Args:
        frames: the labelled frames.
        targets: (L, R, T) in the order of the frame set; (L, T) if frames have one feature vector each.

    Raises:
        SelectionError: the shape does not match the RoIs, or a target of a valid RoI is not finite.
    """
    targets, valid = per_roi_targets(frames, targets)[frames.order], frames.mask[frames.order]
    x, _ = frames.read(np.arange(len(frames)))
    t, mask = torch.from_numpy(np.where(valid[..., None], targets, 0.0)).to(x), torch.from_numpy(valid).to(x.device)
    if frames.flatten:
        return x[:, 0], t.flatten(1), mask[..., None].expand_as(t).flatten(1)
    return x[mask], t[mask], torch.ones_like(t[mask], dtype=torch.bool)
