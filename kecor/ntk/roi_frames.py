"""Frames as weighted sets of RoI features, read in chunks from arrays that may be on disk."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kecor.errors import SelectionError
from kecor.structures import FrameSet

FEW_VALUES = 1 << 18
"""Feature values per chunk for frames of many RoIs on a CPU, so that a network's activations stay in its cache."""
MANY_VALUES = 1 << 22
"""Feature values per chunk for frames of one RoI or on a GPU, so that products with wide layers run at full speed."""
MIN_FRAME_VALUES = 1 << 10
"""Frames with fewer feature values than this count as having this many: activations do not shrink with the input."""
MIN_SPREAD = 1e-3
"""Lower limit of a channel's standard deviation, relative to the largest one; avoids amplifying constant channels."""


@dataclass(frozen=True)
class Scaling:
    """Per-channel mean and standard deviation (C,), float64."""

    mean: np.ndarray
    std: np.ndarray


class RoiFrames:
    """N frames of R RoIs with C channels each, read as tensors ``x (n, R, C)`` and RoI weights ``w (n, R)``.

    The weights are the calibrated probabilities of the RoIs or, without them, their scores, normalised to sum 1 over
    the valid RoIs of a frame (equal weights without both).
    A frame without RoIs has zero weights. Features of invalid RoIs are read as zero. Positions count frames in the
    order of their ids, so that results do not depend on the order of the set.

    Args:
        frames: with ``roi_features`` (N, R, C) and optionally ``roi_mask``, ``roi_probs`` and
            ``roi_scores`` (N, R); or with ``embedding`` (N, D), read as one RoI per frame.
        arrangement: ``per_roi``, or ``flatten`` for one vector of R x C values per frame.
        scaling: standardises the features; None leaves them as they are.
        dtype: of the tensors.
        device: of the tensors.

    Raises:
        SelectionError: there are no features or a shape does not match; on reading: a score is negative or not finite.
    """

    def __init__(
        self,
        frames: FrameSet,
        arrangement: str = "per_roi",
        scaling: Scaling | None = None,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        self.order = np.argsort(frames.ids)
        self.ids = frames.ids
        self.flatten = arrangement == "flatten"
        self.scaling, self.dtype, self.device = scaling, dtype, device
        if scaling is not None:
            factor, shift = 1 / scaling.std, -scaling.mean / scaling.std
            self._factor, self._shift = (torch.from_numpy(a).to(device, dtype) for a in (factor, shift))
        feats = frames.feats
        by_roi = "roi_features" in feats
        if by_roi:
            self.features = feats["roi_features"]
        elif "embedding" in feats:
            self.features = np.asanyarray(feats["embedding"])[:, None]
        else:
            raise SelectionError("the frames have neither 'roi_features' nor 'embedding'")
        if self.features.ndim != 3:
            raise SelectionError(f"roi_features: got shape {self.features.shape}; expected (frames, RoIs, channels)")
        shape = self.features.shape[:2]
        self.mask = np.asarray(feats["roi_mask"], bool) if by_roi and "roi_mask" in feats else np.ones(shape, bool)
        weight = next((name for name in ("roi_probs", "roi_scores") if by_roi and name in feats), "roi_mask")
        self.scores = self.mask if weight == "roi_mask" else np.asanyarray(feats[weight])
        for name, array in (("roi_mask", self.mask), (weight, self.scores)):
            if array.shape != shape:
                raise SelectionError(f"{name}: got shape {array.shape}; expected {shape}, as roi_features")

    def __len__(self) -> int:
        return len(self.order)

    @property
    def width(self) -> int:
        """Number of inputs of a network that reads these frames."""
        _, n_rois, channels = self.features.shape
        return n_rois * channels if self.flatten else channels

    @property
    def n_rois(self) -> int:
        """Number of RoIs per frame as read: 1 for flattened frames."""
        return 1 if self.flatten else self.features.shape[1]

    def chunks(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        """Consecutive parts of ``positions`` that are small enough to be processed at once."""
        limit = MANY_VALUES if self.n_rois == 1 or self.device != "cpu" else FEW_VALUES
        size = max(1, limit // max(MIN_FRAME_VALUES, self.features.shape[1] * self.features.shape[2]))
        return (positions[start : start + size] for start in range(0, len(positions), size))

    def read(self, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        """``x`` and ``w`` of the frames at ``positions``; finite values are checked by :meth:`check`."""
        index = self.order[positions]
        full = bool(self.mask[index].all())
        mask = torch.from_numpy(self.mask[index]).to(self.device)[..., None]
        x = torch.from_numpy(np.ascontiguousarray(self.features[index])).to(self.device).to(self.dtype)
        x = x if full else x.masked_fill(~mask, 0.0)
        if self.scaling is not None:
            x.mul_(self._factor).add_(self._shift)  # in place: indexing has copied the rows
            x = x if full else x.masked_fill_(~mask, 0.0)
        if self.flatten:
            return x.reshape(len(index), 1, -1), mask.any(1).to(self.dtype)
        return x, torch.from_numpy(self.weights(index)).to(self.device, self.dtype)

    def check(self, positions: np.ndarray | None = None) -> None:
        """Check that the features of valid RoIs are finite, for the frames at ``positions`` (default all).

        Raises:
            SelectionError: a feature is not finite; names the frame.
        """
        for chunk in self.chunks(np.arange(len(self)) if positions is None else positions):
            index = self.order[chunk]
            bad = (~np.isfinite(self.features[index]) & self.mask[index, :, None]).any((1, 2))
            if bad.any():
                raise SelectionError(f"frame {str(self.ids[index[bad][0]])!r}: its features are not finite")

    def statistics(self) -> Scaling:
        """Mean and standard deviation of each channel of the unscaled features, over the valid RoIs of all frames.

        Raises:
            SelectionError: no frame has a valid RoI.
        """
        count = int(self.mask.sum())
        if count == 0:
            raise SelectionError("no labelled frame has a valid RoI; train the detector longer or label more frames")
        raw = copy(self)
        raw.scaling, raw.flatten, raw.dtype = None, False, torch.float64
        parts = list(raw.chunks(np.arange(len(self))))
        total = torch.zeros(self.features.shape[2], dtype=torch.float64, device=self.device)
        for part in parts:
            total = total + raw.read(part)[0].sum((0, 1))
        mean, squares = total / count, torch.zeros_like(total)
        for part in parts:
            valid = torch.from_numpy(self.mask[self.order[part], :, None]).to(self.device)
            squares += ((raw.read(part)[0] - mean) * valid).square().sum((0, 1))
        std = (squares / count).sqrt().cpu().numpy()
        floor = MIN_SPREAD * std.max(initial=0.0)
        return Scaling(mean.cpu().numpy(), np.maximum(std, floor) if floor > 0 else np.ones_like(std))

    def weights(self, index: np.ndarray) -> np.ndarray:
        """(n, R) float64 RoI weights of the frames at rows ``index`` of the frame set."""
        mask = self.mask[index]
        scores = np.where(mask, self.scores[index], 0.0).astype(np.float64)
        bad = ~(np.isfinite(scores) & (scores >= 0)).all(1)
        if bad.any():
            raise SelectionError(f"frame {str(self.ids[index[bad][0]])!r}: a roi_score is negative or not finite")
        scores = np.where(scores.sum(1, keepdims=True) > 0, scores, mask)
        return scores / np.maximum(scores.sum(1, keepdims=True), np.finfo(np.float64).tiny)
