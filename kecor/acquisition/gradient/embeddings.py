"""Gradient embeddings of frames, for a linear last classification layer.

For a linear layer the gradient of the classification loss of a RoI is an outer product of one coefficient per class and
the RoI's feature. The detectors' class outputs are independent sigmoids trained with binary cross-entropy (the focal
weight is ignored), so the coefficient of class c is ``p_c - y_c``. A frame's gradient is the score-weighted mean over
its RoIs. It is computed from ``roi_logits`` and ``roi_features`` alone.

This is an approximation: no detector here has a linear classifier on the pooled features. SECOND predicts logits from
single cells of its feature map, and in two-stage detectors the logits are those of the first stage and the features
those of the second.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from kecor.acquisition.arguments import check_count
from kecor.errors import SelectionError
from kecor.ntk.roi_frames import RoiFrames
from kecor.progress import progress_bar
from kecor.structures import FrameSet

Coefficients = Callable[[Tensor, Tensor], Tensor]
"""Maps probabilities (n, R, K) and RoI weights (n, R) to the coefficients of the features, (n, R, K)."""


def check_dim(dim: int | None) -> None:
    """Check the argument ``dim`` of a method that projects gradients.

    Raises:
        ConfigError: it is neither None nor a positive integer.
    """
    check_count("dim", dim, optional=True)


def residuals(p: Tensor, w: Tensor) -> Tensor:
    """``w (p - y)`` with the hallucinated label ``y_c = [p_c > 0.5]``.

    This is the gradient for the label that the detector considers most likely, background if no class exceeds 0.5. No
    other label has a smaller gradient, so its length is a lower bound (for softmax: Ash et al., ICLR 2020, proposition
    1).
    """
    return w[..., None] * (p - (p > 0.5).to(p))


def balanced_residuals(p: Tensor, w: Tensor) -> Tensor:
    """:func:`residuals` with RoI weights rescaled so that each predicted class of a frame has the same total weight."""
    predicted = one_hot(p.argmax(2), p.shape[2]).to(w)
    share = (w[..., None] * predicted).sum(1, keepdim=True)
    n_present = (share > 0).sum(2, keepdim=True).clamp(min=1)
    own_share = (predicted * share).sum(2)
    weight = torch.where(own_share > 0, w / own_share.clamp(min=torch.finfo(w.dtype).tiny), 0.0)
    return residuals(p, weight / n_present[..., 0])


def fisher_roots(p: Tensor, w: Tensor) -> Tensor:
    """``w sqrt(p (1 - p))``: square roots of the Fisher information of each class, ``E_y (p - y)^2 = p (1 - p)``."""
    return w[..., None] * (p * (1 - p)).sqrt()


def gradient_embeddings(
    pool: FrameSet,
    labelled: FrameSet | None,
    coefficients: Coefficients,
    dim: int | None,
    rng: np.random.Generator,
    rows: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (N, K, D) of the pool and (L, K, D) of the labelled frames (L = 0 for None), float32.

    Frames are in the order of their ids; frames without RoIs have zero embeddings.

    Args:
        pool: at least one frame, with ``roi_features`` (N, R, C), ``roi_mask`` and ``roi_logits`` (N, R, K).
        labelled: the same, possibly no frame.
        coefficients: one of the functions above.
        dim: with more than ``dim`` channels, project them to D = ``dim`` by random signs, which preserves inner
            products in expectation. None keeps all channels.
        rng: draws the signs.
        rows: (n,) positions, in the order of the ids, of the pool frames to embed; all by default.

    Raises:
        SelectionError: an array is missing, has a wrong shape or is not finite.
    """
    frames, logits = _frames(pool)
    n_classes, channels = logits.shape[2], frames.features.shape[2]
    signs = None
    if dim is not None and channels > dim:
        signs = torch.from_numpy(rng.choice(np.array([-1, 1], np.float32), (channels, dim)) / np.float32(dim**0.5))
    found = _embed(frames, logits, coefficients, signs, np.arange(len(pool)) if rows is None else rows)
    if labelled is None or not len(labelled):
        return found, np.zeros((0, *found.shape[1:]), np.float32)
    known, known_logits = _frames(labelled)
    widths = known_logits.shape[2], known.features.shape[2]
    if widths != (n_classes, channels):
        raise SelectionError(
            f"labelled frames have {widths[0]} classes and {widths[1]} channels, the pool {n_classes} and {channels}"
        )
    return found, _embed(known, known_logits, coefficients, signs, np.arange(len(labelled)))


def flat(embeddings: np.ndarray) -> np.ndarray:
    """(N, K, D) embeddings as vectors (N, K D)."""
    return embeddings.reshape(len(embeddings), embeddings.shape[1] * embeddings.shape[2])


def _frames(frames: FrameSet) -> tuple[RoiFrames, np.ndarray]:
    """The RoI features and the logits (N, R, K), with checked shapes."""
    for name in ("roi_features", "roi_logits"):
        if name not in frames.feats:
            raise SelectionError(f"the frames carry no {name!r}: gradients need both 'roi_features' and 'roi_logits'")
    rois, logits = RoiFrames(frames), frames.feats["roi_logits"]
    if logits.ndim != 3 or logits.shape[:2] != rois.features.shape[:2] or logits.shape[2] == 0:
        raise SelectionError(f"roi_logits: shape {logits.shape} does not fit roi_features {rois.features.shape}")
    return rois, logits


def _embed(
    frames: RoiFrames, logits: np.ndarray, coefficients: Coefficients, signs: Tensor | None, rows: np.ndarray
) -> np.ndarray:
    width = frames.features.shape[2] if signs is None else signs.shape[1]
    result, done = np.empty((len(rows), logits.shape[2], width), np.float32), 0
    with progress_bar("gradients", len(rows), "frame", delay=3.0) as bar:
        for chunk in frames.chunks(rows):
            x, w = frames.read(chunk)
            index = frames.order[chunk]
            z = np.where(frames.mask[index, :, None], logits[index], 0).astype(np.float32)
            part = (coefficients(torch.from_numpy(z).sigmoid(), w).transpose(1, 2) @ x).numpy()
            bad = ~np.isfinite(part).all((1, 2))
            if bad.any():
                frames.check(chunk[bad])  # names the frame if its features are the cause
                raise SelectionError(f"frame {str(frames.ids[index[bad][0]])!r}: its roi_logits are not finite")
            result[done : done + len(chunk)] = part if signs is None else part @ signs.numpy()
            done += len(chunk)
            bar.update(len(chunk))
    return result
