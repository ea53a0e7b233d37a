"""Frames as weighted sets of RoI features, read in blocks from arrays that may lie on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kecor.errors import SelectionError
from kecor.structures import FrameSet

BLOCK_VALUES = 1 << 20
"""Feature values read at once."""
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
        SelectionError: neither kind of feature is there, a shape does not fit, or (when read) a value is not finite.
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
        self.scores = np.asarray(feats["roi_scores"], np.float64) if by_roi and "roi_scores" in feats else self.mask
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

    def blocks(self) -> Iterator[slice]:
        """Consecutive ranges of positions, small enough to be read at once."""
        size = max(1, BLOCK_VALUES // max(1, self.features.shape[1] * self.features.shape[2]))
        return (slice(start, min(start + size, len(self))) for start in range(0, len(self), size))

    def read(self, rows: slice | list[int]) -> tuple[Tensor, Tensor]:
        """``x`` and ``w`` of the frames at ``rows``, positions in the order of the ids."""
        index = self.order[rows]
        values, mask = self._values(index), self.mask[index]
        if self.flatten:
            values, weights = values.reshape(len(index), 1, -1), mask.any(1, keepdims=True).astype(np.float64)
        else:
            weights = self._weights(index)
        return tuple(torch.from_numpy(a).to(self.device, self.dtype) for a in (values, weights))

    def statistics(self) -> Scaling:
        """Mean and standard deviation of each channel over the valid RoIs of all frames.

        Raises:
            SelectionError: no frame has a valid RoI.
        """
        count = int(self.mask.sum())
        if count == 0:
            raise SelectionError("no labelled frame has a valid RoI: there is nothing to fit a kernel to")
        mean = sum(self._values(self.order[rows]).sum((0, 1)) for rows in self.blocks()) / count
        square = np.zeros_like(mean)
        for rows in self.blocks():
            centred = self._values(self.order[rows]) - mean
            square += np.square(centred * self.mask[self.order[rows], :, None]).sum((0, 1))
        std = np.sqrt(square / count)
        floor = SMALLEST_SPREAD * std.max(initial=0.0)
        return Scaling(mean, np.maximum(std, floor) if floor > 0 else np.ones_like(std))

    def _values(self, index: np.ndarray) -> np.ndarray:
        """(n, R, C) float64 scaled features, zero where there is no RoI."""
        values = np.where(self.mask[index, :, None], np.asarray(self.features[index], np.float64), 0.0)
        bad = ~np.isfinite(values).all((1, 2))
        if bad.any():
            raise SelectionError(f"frame {str(self.ids[index[bad][0]])!r}: its features are not finite")
        if self.scaling is not None:
            values = (values - self.scaling.mean) / self.scaling.std * self.mask[index, :, None]
        return values

    def _weights(self, index: np.ndarray) -> np.ndarray:
        mask = self.mask[index]
        scores = np.where(mask, self.scores[index], 0.0).astype(np.float64)
        bad = ~(np.isfinite(scores) & (scores >= 0)).all(1)
        if bad.any():
            raise SelectionError(f"frame {str(self.ids[index[bad][0]])!r}: its roi_scores are negative or not finite")
        scores = np.where(scores.sum(1, keepdims=True) > 0, scores, mask)
        return scores / np.maximum(scores.sum(1, keepdims=True), np.finfo(np.float64).tiny)
