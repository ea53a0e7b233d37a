"""Gradient embeddings of frames: what a label would change in the last layer of a detector's classifier.

The gradient of a RoI's classification loss by the weights of a linear last layer is an outer product, one coefficient a
class times the RoI's feature; a frame's is the mean over its RoIs, weighted by their scores. The detectors' class
outputs are independent sigmoids, trained by binary cross-entropy (its focal weight is left out), so that the
coefficient of class c is ``p_c - y_c``. No model is needed: ``roi_logits`` and ``roi_features`` say all. It is the
gradient of a linear layer on the pooled features, which no detector here has as such: SECOND's logits are those of one
cell of its map, and in a detector of two stages they are the first stage's while the features are the second's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from kecor.acquisition.base import check_argument
from kecor.errors import SelectionError
from kecor.ntk.roi_frames import RoiFrames
from kecor.progress import progress_bar
from kecor.structures import FrameSet

Coefficients = Callable[[Tensor, Tensor], Tensor]
"""From probabilities (n, R, K) and RoI weights (n, R) to what each class' feature is multiplied by, (n, R, K)."""


def check_dim(dim: int | None) -> None:
    """Check the argument ``dim`` of a method that projects gradients.

    Raises:
        ConfigError: it is neither None nor a whole number above zero.
    """
    fits = dim is None or (isinstance(dim, int) and not isinstance(dim, bool) and dim > 0)
    check_argument("dim", dim, fits, "a whole number above zero, or null for all channels")


def residuals(p: Tensor, w: Tensor) -> Tensor:
    """``w (p - y)``, y being 1 for the classes that the detector holds likelier than not, of which there is none where
    it sees background: the gradient of a hallucinated label. No other label has a shorter one."""
    return w[..., None] * (p - (p > 0.5).to(p))


def balanced_residuals(p: Tensor, w: Tensor) -> Tensor:
    """:func:`residuals` with RoI weights brought to where each class predicted in a frame has the same share."""
    predicted = one_hot(p.argmax(2), p.shape[2]).to(w)
    share = (w[..., None] * predicted).sum(1, keepdim=True)
    present = (share > 0).sum(2, keepdim=True).clamp(min=1)
    own = (predicted * share).sum(2)
    return residuals(p, torch.where(own > 0, w / own.clamp(min=torch.finfo(w.dtype).tiny), 0.0) / present[..., 0])


def fisher_roots(p: Tensor, w: Tensor) -> Tensor:
    """``w sqrt(p (1 - p))``: the roots of the classes' Fisher information, the expectation of squared residuals over
    labels drawn from the prediction."""
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

    Frames stand in the order of their ids; those without RoIs are zero.

    Args:
        pool: at least one frame, with ``roi_features`` (N, R, C), ``roi_mask`` and ``roi_logits`` (N, R, K).
        labelled: the same, of the same widths; no frame at all is fine.
        coefficients: one of the functions above.
        dim: where there are more channels, project them to D = ``dim`` by random signs, which keeps inner products on
            average; None never does.
        rng: draws the signs.
        rows: (n,) the pool's frames to embed, as positions in the order of the ids; all N by default.

    Raises:
        SelectionError: an array is missing or does not fit, or a value is not finite.
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
    """The frames and their logits (N, R, K), as they lie."""
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
                frames.check(chunk[bad])
                raise SelectionError(f"frame {str(frames.ids[index[bad][0]])!r}: its roi_logits are not finite")
            result[done : done + len(chunk)] = part if signs is None else part @ signs.numpy()
            done += len(chunk)
            bar.update(len(chunk))
    return result
