"""Measures of uncertainty: class distributions of boxes, their entropies, and the class histogram of a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import entr, expit, log_expit, softmax

from kecor.acquisition.arguments import check_choice
from kecor.errors import SelectionError
from kecor.structures import Detections, FrameSet

AGGREGATIONS: dict[str, Callable[[np.ndarray], float]] = {"mean": np.mean, "sum": np.sum, "max": np.max}


def require_detections(frames: FrameSet, method_name: str) -> list[Detections]:
    """The detections of ``frames``.

    Raises:
        SelectionError: the frames have no detections.
    """
    if len(frames) and not frames.detections:
        raise SelectionError(f"{method_name}: the pool carries no detections")
    return frames.detections


def box_probabilities(detections: Detections) -> np.ndarray:
    """(K, classes) float64 class distribution of each box.

    Computed from the logits by :func:`class_probabilities`; for a detector without logits it is (score, 1 - score).

    Raises:
        SelectionError: a logit is not finite, or a score is not in [0, 1].
    """
    if detections.logits is not None:
        result = class_probabilities(detections.logits)
    else:
        result = _with_complement(np.asarray(detections.scores, np.float64))
    if not (result >= 0).all():
        raise SelectionError("the class logits of a box are not finite, or its score is not in [0, 1]")
    return result


def class_probabilities(logits: np.ndarray) -> np.ndarray:
    """(..., classes) float64 class distributions from (..., classes) logits; (..., 2) for a single class.

    The detectors' class outputs are independent sigmoids. Their probabilities, normalised to sum 1, are taken as the
    distribution over classes given that the box is an object. With a single class there is no such distribution, so the
    probabilities of object and background are returned.
    """
    logits = np.asarray(logits, np.float64)
    if logits.shape[-1] > 1:
        return softmax(log_expit(logits), axis=-1)  # sigmoid(z_c) / sum_k sigmoid(z_k), without underflow
    return _with_complement(expit(logits[..., 0]))


def _with_complement(scores: np.ndarray) -> np.ndarray:
    return np.stack([scores, 1 - scores], -1)


def box_entropies(detections: Detections) -> np.ndarray:
    """(K,) entropy in nats of the class distribution of each box (:func:`box_probabilities`).

    Raises:
        SelectionError: a logit is not finite, or a score is not in [0, 1].
    """
    return entr(box_probabilities(detections)).sum(1)


def aggregation_named(name: str) -> Callable[[np.ndarray], float]:
    """The function that combines the values of a frame's boxes: ``mean``, ``sum`` or ``max``.

    Raises:
        ConfigError: ``name`` is none of these.
    """
    check_choice("aggregation", name, AGGREGATIONS)
    return AGGREGATIONS[name]


def frame_scores(
    frames: FrameSet,
    method_name: str,
    per_box: Callable[[Detections], np.ndarray],
    aggregate: Callable[[np.ndarray], float],
) -> np.ndarray:
    """(N,) ``aggregate`` of the ``per_box`` values of each frame; 0 for a frame without boxes.

    Raises:
        SelectionError: there are no detections, or ``per_box`` raised one; the message names the frame.
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
    """(N,) Shannon entropy in nats of the histogram of predicted classes in each frame; 0 for a frame without boxes.

    This is the label-conciseness term of CRB (Luo et al., ICLR 2023) and the entropy term of KECOR.

    Args:
        detections: of each frame. The number of classes is the width of the logits or, without logits, the highest
            label plus one.
        absent_count_one: count classes without a box in the frame once, as the authors' code does.
    """
    labels = [np.asarray(d.labels, np.int64) for d in detections]
    highest = max((int(row.max()) + 1 for row in labels if len(row)), default=0)
    widths = (np.shape(d.logits)[1] for d in detections if d.logits is not None and len(d))
    n_classes = max(highest, max(widths, default=0))
    counts = np.stack([np.bincount(row, minlength=n_classes) for row in labels]) if labels else np.zeros((0, 1))
    has_boxes = counts.sum(1, keepdims=True) > 0
    if absent_count_one:
        counts = np.where(has_boxes, np.maximum(counts, 1), 0)
    return entr(counts / np.maximum(counts.sum(1, keepdims=True), 1)).sum(1)
