"""Average precision and recall from matched detections."""

from __future__ import annotations

import numpy as np

from kecor.evaluation.average_precision import SAMPLES, r40


def average_precision(scores: np.ndarray, right: np.ndarray, n_objects: int) -> float | None:
    """Percent; mean of the interpolated precision at the recalls 1/40, 2/40, ..., 1; None without objects.

    The precision at a recall is the highest at that recall or beyond, over all score thresholds (Simonelli et al., ICCV
    2019, section 5). Detections of equal score count together. Unlike KITTI's evaluator, which takes precision at up
    to 40 true positives, this reaches 100 for perfect detections however few the objects are.

    Args:
        scores: (D,) of the detections that count.
        right: (D,) bool, whether each found an object.
        n_objects: objects to be found.
    """
    if n_objects == 0:
        return None
    order = np.argsort(-scores, kind="stable")
    scores, found = scores[order], np.cumsum(right[order])
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if len(scores) else np.zeros(0, np.int64)
    precision, reached = found[last] / (last + 1), found[last]
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    wanted = np.arange(SAMPLES) * n_objects / (SAMPLES - 1)
    return r40(best[np.searchsorted(reached, wanted - 1e-9)])


def recall(right: np.ndarray, n_objects: int) -> float | None:
    """Percent of the objects that were found; None without objects."""
    return 100.0 * int(right.sum()) / n_objects if n_objects else None
