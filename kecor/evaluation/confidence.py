"""Which detections are worth showing to people: those that are correct with a given probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kecor.geometry.pairs import pair_boxes, same_boxes
from kecor.structures import Detections

ENOUGH = 20
"""Detections of a class in labelled frames from which its scores are calibrated."""
TOLERANCE = 1e-4
"""Metres and radians by which the same box may differ."""


def score_thresholds(
    detections: Sequence[Detections],
    truth: Sequence[tuple[np.ndarray, np.ndarray]],
    classes: Sequence[str],
    confidence: float,
) -> np.ndarray:
    """(C,) score from which a detection of each class is correct with a probability of at least ``confidence``.

    A detection in a labelled frame is correct if it is paired with a true box, as an annotator's correction would be.
    The probability as a function of the score is fitted by isotonic regression. Scores of a class with fewer than 20
    detections are taken for probabilities themselves.

    Args:
        detections: of labelled frames.
        truth: their true boxes (M, 7) and class names (M,).
        classes: names of the labels 0 to C - 1.
        confidence: from 0 to 1.
    """
    correct = [_correct(found, boxes, names, classes) for found, (boxes, names) in zip(detections, truth)]
    labels = np.concatenate([np.zeros(0, np.int64), *(found.labels for found in detections)])
    scores = np.concatenate([np.zeros(0), *(found.scores for found in detections)])
    hits = np.concatenate([np.zeros(0, bool), *correct])
    thresholds = np.full(len(classes), confidence)
    for label in range(len(classes)):
        own = labels == label
        if own.sum() >= ENOUGH:
            thresholds[label] = _threshold(scores[own], hits[own], confidence)
    return thresholds


def _correct(found: Detections, boxes: np.ndarray, names: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """(K,) whether each detection is paired with a true box."""
    predicted, true = (np.asarray(rows, np.float64).reshape(-1, 7) for rows in (found.boxes, boxes))
    same_name = np.array(classes)[np.asarray(found.labels, int)][:, None] == np.asarray(names)[None, :]
    pairs = pair_boxes(predicted, true, same_name, same_name & same_boxes(predicted, true, TOLERANCE))
    correct = np.zeros(len(found), bool)
    correct[pairs[:, 0]] = True
    return correct


def _threshold(scores: np.ndarray, hits: np.ndarray, confidence: float) -> float:
    """The least score whose fitted probability reaches ``confidence``; infinite if none does."""
    values, inverse = np.unique(scores, return_inverse=True)
    counts = np.bincount(inverse).astype(float)
    fitted = isotonic(np.bincount(inverse, hits) / counts, counts)
    reached = np.flatnonzero(fitted >= confidence - 1e-12)
    return float(values[reached[0]]) if len(reached) else np.inf


def isotonic(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N,) the non-decreasing sequence nearest to ``values`` in weighted least squares (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value, weight in zip(values, weights):
        blocks.append([float(value), float(weight), 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, weight, size = blocks.pop()
            before = blocks[-1]
            total = before[1] + weight
            blocks[-1] = [(before[0] * before[1] + mean * weight) / total, total, before[2] + size]
    return np.repeat([block[0] for block in blocks], [int(block[2]) for block in blocks])
