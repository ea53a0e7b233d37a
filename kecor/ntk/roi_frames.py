"""Frames as weighted sets of RoI features, read in blocks from arrays that may lie on disk."""

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
"""Features of frames of many RoIs read at once: what a network computes of them stays in a processor's cache."""
MANY_VALUES = 1 << 22
"""Features of frames of one RoI read at once, or on a GPU: its products with wide layers run at full speed."""
LEAST_VALUES = 1 << 10
"""Few features count as so many, since what a network computes of them does not shrink with them."""
SMALLEST_SPREAD = 1e-3
"""Channels that vary less than this share of the widest one are not blown up to unit variance."""


@dataclass(frozen=True)
class Scaling:
    """Per-channel mean and standard deviation (C,), float64."""

    mean: np.ndarray
    std: np.ndarray


class RoiFrames:
    """N frames of R RoIs with C channels each, as tensors ``x (n, R, C)`` and RoI weights ``w (n, R)``.

    The weights of a frame are its scores over the valid RoIs normalised to sum 1 (equal where it has no scores), and
    zero throughout where it has no RoI. Features of invalid RoIs are read as zero.

    Args:
        frames: with ``roi_features`` (N, R, C), ``roi_mask`` (N, R) and perhaps ``roi_scores`` (N, R); or else with
            ``embedding`` (N, D), taken as one RoI a frame.
        arrangement: ``per_roi``, or ``flatten``: each frame one vector of R x C values, zero-padded.
        scaling: subtracted and divided out of the features; None leaves them as they are.
        dtype: of the tensors.
        device: of the tensors.

    Raises:
        SelectionError: neither kind of feature is there, a shape does not fit, or (when read) a score is not right.
    """

    def __init__(
        self,
        frames: FrameSet,
        arrangement: str = "per_roi",
        scaling: Scaling | None = None,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        self.order = np.argsort(frames.ids)  # one order whatever the caller's, so that results do not depend on it
        self.ids = frames.ids
        self.flatten = arrangement == "flatten"
        self.scaling, self.dtype, self.device = scaling, dtype, device
        if scaling is not None:
            factor, shift = 1 / scaling.std, -scaling.mean / scaling.std
            self._factor, self._shift = (torch.from_numpy(a).to(device, dtype) for a in (factor, shift))
        feats = frames.feats
        if "roi_features" in feats:
            self.features = feats["roi_features"]
        elif "embedding" in feats:
            self.features = np.asanyarray(feats["embedding"])[:, None]
        else:
            raise SelectionError("the frames carry neither 'roi_features' nor 'embedding'")
        if self.features.ndim != 3:
            raise SelectionError(f"RoI features must be (frames, RoIs, channels), got {self.features.shape}")
        shape = self.features.shape[:2]
        by_roi = "roi_features" in feats
        self.mask = np.asarray(feats["roi_mask"], bool) if by_roi and "roi_mask" in feats else np.ones(shape, bool)
        self.scores = np.asanyarray(feats["roi_scores"]) if by_roi and "roi_scores" in feats else self.mask
        for name, array in (("roi_mask", self.mask), ("roi_scores", self.scores)):
            if array.shape != shape:
                raise SelectionError(f"{name}: shape {array.shape} does not fit roi_features {self.features.shape}")

    def __len__(self) -> int:
        return len(self.order)

    @property
    def width(self) -> int:
        """Number of inputs of a network that reads these frames."""
        _, n_rois, channels = self.features.shape
        return n_rois * channels if self.flatten else channels

    @property
    def n_rois(self) -> int:
        """RoIs a frame as a network sees them: 1 when flattened."""
        return 1 if self.flatten else self.features.shape[1]

    def chunks(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        """Consecutive parts of ``positions``, small enough to be read and worked on at once."""
        most = MANY_VALUES if self.n_rois == 1 or self.device != "cpu" else FEW_VALUES
        size = max(1, most // max(LEAST_VALUES, self.features.shape[1] * self.features.shape[2]))
        return (positions[start : start + size] for start in range(0, len(positions), size))

    def read(self, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        """``x`` and ``w`` of the frames at ``positions`` in the order of the ids. See :meth:`check`."""
        index = self.order[positions]
        full = bool(self.mask[index].all())
        mask = torch.from_numpy(self.mask[index]).to(self.device)[..., None]
        x = torch.from_numpy(np.ascontiguousarray(self.features[index])).to(self.device).to(self.dtype)
        x = x if full else x.masked_fill(~mask, 0.0)
        if self.scaling is not None:
            x.mul_(self._factor).add_(self._shift)  # in place: the rows were copied above
            x = x if full else x.masked_fill_(~mask, 0.0)
        if self.flatten:
            return x.reshape(len(index), 1, -1), mask.any(1).to(self.dtype)
        return x, torch.from_numpy(self.weights(index)).to(self.device, self.dtype)

    def check(self, positions: np.ndarray | None = None) -> None:
        """Look at every feature of frames (all by default) in a valid RoI.

        Raises:
            SelectionError: one is not finite; names the frame.
        """
        for chunk in self.chunks(np.arange(len(self)) if positions is None else positions):
            index = self.order[chunk]
            bad = (~np.isfinite(self.features[index]) & self.mask[index, :, None]).any((1, 2))
            if bad.any():
                raise SelectionError(f"frame {str(self.ids[index[bad][0]])!r}: its features are not finite")

    def statistics(self) -> Scaling:
        """Mean and standard deviation of each channel over the valid RoIs of all frames, of the features as they lie.

        Raises:
            SelectionError: no frame has a valid RoI.
        """
        count = int(self.mask.sum())
        if count == 0:
            raise SelectionError("no labelled frame has a valid RoI: there is nothing to fit a kernel to")
        raw = copy(self)
        raw.scaling, raw.flatten, raw.dtype = None, False, torch.float64
        parts = list(raw.chunks(np.arange(len(self))))
        mean = sum(raw.read(part)[0].sum((0, 1)) for part in parts) / count
        square = torch.zeros_like(mean)
        for part in parts:
            valid = torch.from_numpy(self.mask[self.order[part], :, None]).to(mean.device)
            square += ((raw.read(part)[0] - mean) * valid).square().sum((0, 1))
        std = (square / count).sqrt().cpu().numpy()
        floor = SMALLEST_SPREAD * std.max(initial=0.0)
        return Scaling(mean.cpu().numpy(), np.maximum(std, floor) if floor > 0 else np.ones_like(std))

    def weights(self, index: np.ndarray) -> np.ndarray:
        """(n, R) float64 weights of the RoIs of the frames at ``index``, rows of the set as it was given."""
        mask = self.mask[index]
        scores = np.where(mask, self.scores[index], 0.0).astype(np.float64)
        bad = ~(np.isfinite(scores) & (scores >= 0)).all(1)
        if bad.any():
            raise SelectionError(f"frame {str(self.ids[index[bad][0]])!r}: its roi_scores are negative or not finite")
        scores = np.where(scores.sum(1, keepdims=True) > 0, scores, mask)
        return scores / np.maximum(scores.sum(1, keepdims=True), np.finfo(np.float64).tiny)
