"""Measures of uncertainty: class distributions of boxes, their entropies, and of the boxes of a frame."""

from __future__ import annotations

from collections.abc import Callable

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


def class_entropy(counts: np.ndarray, absent_count_one: bool = False) -> np.ndarray:
    """(N,) Shannon entropy in nats of the expected boxes by class in each frame; 0 for a frame without boxes.

    This is the label-conciseness term of CRB (Luo et al., ICLR 2023) and the entropy term of KECOR. A frame with less
    than one expected box has that share of its entropy: it is probably empty, whatever the mix of what it may hold.

    Args:
        counts: (N, classes) expected boxes, see :meth:`~kecor.structures.FrameSet.expected_counts`.
        absent_count_one: classes with less than one box count one, as absent ones do in the authors' code.
    """
    total = counts.sum(1, keepdims=True)
    shares = np.maximum(counts, 1) if absent_count_one else counts
    shares = shares / np.maximum(shares.sum(1, keepdims=True), np.finfo(np.float64).tiny)
    return entr(shares).sum(1) * np.minimum(total[:, 0], 1)
