"""How unsure a detector is of a frame: entropies of boxes and of the mix of predicted classes, in nats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import entr, expit, log_expit, softmax

from kecor.errors import SelectionError
from kecor.structures import Detections, FrameSet


def require_detections(frames: FrameSet, method_name: str) -> list[Detections]:
    """The detections of ``frames``.

    Raises:
        SelectionError: the frames were filled without any.
    """
    if len(frames) and not frames.detections:
        raise SelectionError(f"{method_name}: the pool carries no detections")
    return frames.detections


def box_entropies(detections: Detections) -> np.ndarray:
    """(K,) entropy of each box's class distribution.

    A detector's class outputs are independent sigmoids: their probabilities, normalised to sum 1, are the distribution,
    so this is the doubt between classes, not between object and background. Of one class alone, and of a detector
    that gives no logits, nothing but that second doubt is known: the binary entropy of the score is taken.

    Raises:
        SelectionError: a logit or score is not finite.
    """
    logits = detections.logits
    if logits is not None and np.shape(logits)[1] > 1:
        result = entr(softmax(log_expit(np.asarray(logits, np.float64)), axis=1)).sum(1)
    else:
        scores = expit(np.asarray(logits, np.float64)[:, 0]) if logits is not None else detections.scores
        scores = np.asarray(scores, np.float64)
        result = entr(scores) + entr(1 - scores)
    if not np.isfinite(result).all():
        raise SelectionError("the class logits or scores of a box are not finite")
    return result


def class_entropy(detections: Sequence[Detections], absent_count_one: bool = False) -> np.ndarray:
    """(N,) Shannon entropy of the histogram of labels predicted in each frame; zero for a frame without boxes.

    This is the label-conciseness term of CRB (Luo et al., ICLR 2023). ``absent_count_one`` gives classes without a box
    in the frame a count of one, as the released code does; which classes there are is read off the logits' width or,
    without logits, off the labels.
    """
    labels = [np.asarray(d.labels, np.int64) for d in detections]
    seen = max((int(row.max()) + 1 for row in labels if len(row)), default=0)
    widths = (np.shape(d.logits)[1] for d in detections if d.logits is not None and len(d))
    n_classes = max(seen, max(widths, default=0))
    counts = np.stack([np.bincount(row, minlength=n_classes) for row in labels]) if labels else np.zeros((0, 1))
    has_boxes = counts.sum(1, keepdims=True) > 0
    if absent_count_one:
        counts = np.where(has_boxes, np.maximum(counts, 1), 0)
    return entr(counts / np.maximum(counts.sum(1, keepdims=True), 1)).sum(1)
