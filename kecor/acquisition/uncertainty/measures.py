"""How unsure a detector is of a frame: of its boxes, by their class distributions, and the mix of predicted classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import entr, expit, log_expit, softmax

from kecor.acquisition.base import check_argument
from kecor.errors import SelectionError
from kecor.structures import Detections, FrameSet

AGGREGATIONS: dict[str, Callable[[np.ndarray], float]] = {"mean": np.mean, "sum": np.sum, "max": np.max}


def require_detections(frames: FrameSet, method_name: str) -> list[Detections]:
    """The detections of ``frames``.

    Raises:
        SelectionError: the frames were filled without any.
    """
    if len(frames) and not frames.detections:
        raise SelectionError(f"{method_name}: the pool carries no detections")
    return frames.detections


def box_probabilities(detections: Detections) -> np.ndarray:
    """(K, classes) float64 class distribution of each box: :func:`class_probabilities` of its logits or, of a detector
    that gives none, the score and what it lacks to 1.

    Raises:
        SelectionError: a logit is not finite, or a score does not lie in [0, 1].
    """
    if detections.logits is not None:
        result = class_probabilities(detections.logits)
    else:
        result = _with_rest(np.asarray(detections.scores, np.float64))
    if not (result >= 0).all():
        raise SelectionError("the class logits of a box are not finite, or its score does not lie in [0, 1]")
    return result


def class_probabilities(logits: np.ndarray) -> np.ndarray:
    """(..., classes) float64 class distributions of (..., classes) logits; of one class, (..., 2).

    A detector's class outputs are independent sigmoids: their probabilities, normalised to sum 1, are the distribution,
    so this is the doubt between classes, not between object and background. Of one class alone nothing but that second
    doubt is known: its probability and what it lacks to 1 are taken.
    """
    logits = np.asarray(logits, np.float64)
    if logits.shape[-1] > 1:
        return softmax(log_expit(logits), axis=-1)
    return _with_rest(expit(logits[..., 0]))


def _with_rest(scores: np.ndarray) -> np.ndarray:
    return np.stack([scores, 1 - scores], -1)


def box_entropies(detections: Detections) -> np.ndarray:
    """(K,) entropy of each box's :func:`class distribution <box_probabilities>`.

    Raises:
        SelectionError: a logit is not finite, or a score does not lie in [0, 1].
    """
    return entr(box_probabilities(detections)).sum(1)


def aggregation_named(name: str) -> Callable[[np.ndarray], float]:
    """How values of a frame's boxes become one: ``mean``, ``sum`` or ``max``.

    Raises:
        ConfigError: ``name`` is none of these.
    """
    check_argument("aggregation", name, name in AGGREGATIONS, f"one of {', '.join(AGGREGATIONS)}")
    return AGGREGATIONS[name]


def frame_scores(
    frames: FrameSet,
    method_name: str,
    per_box: Callable[[Detections], np.ndarray],
    aggregate: Callable[[np.ndarray], float],
) -> np.ndarray:
    """(N,) ``aggregate`` of what ``per_box`` says of each frame's boxes; 0 for a frame without boxes.

    Raises:
        SelectionError: there are no detections, or ``per_box`` refuses those of a frame, which is named.
    """
    scores = np.zeros(len(frames))
    for i, detections in enumerate(require_detections(frames, method_name)):
        if len(detections):
            try:
                scores[i] = aggregate(per_box(detections))
            except SelectionError as error:
                raise SelectionError(f"{method_name}: frame {str(frames.ids[i])!r}: {error}") from error
    return scores


def class_entropy(detections: Sequence[Detections], absent_count_one: bool = False) -> np.ndarray:
    """(N,) Shannon entropy in nats of the histogram of labels predicted in each frame; zero for a frame without boxes.

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
