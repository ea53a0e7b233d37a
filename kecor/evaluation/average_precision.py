"""Average precision over sampled recall, as KITTI measures it."""

from __future__ import annotations

import numpy as np
from numba import njit

SAMPLES = 41
"""Recall positions 0, 1/40, ..., 1."""


@njit(cache=True, nogil=True)
def recall_thresholds(scores: np.ndarray, n_gt: int) -> np.ndarray:
    """Scores at which precision is sampled, at most 41, descending: those whose recall lies nearest to k/40.

    Args:
        scores: (N,) scores of the detections that found a ground truth object when every detection counted.
        n_gt: number of objects to be found, at least N.
    """
    ordered = np.sort(scores)[::-1]
    thresholds = np.empty(len(ordered))
    wanted, n = 0.0, 0
    for i in range(len(ordered)):
        last = i == len(ordered) - 1
        recall = (i + 1) / n_gt
        next_recall = recall if last else (i + 2) / n_gt
        if not last and next_recall - wanted < wanted - recall:  # the next score comes closer
            continue
        thresholds[n] = ordered[i]
        n += 1
        wanted += 1.0 / (SAMPLES - 1)
    return thresholds[:n]


def sampled_curve(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """(41,) quotients, each raised to the greatest at its recall or beyond; zero where the recall is not reached.

    Args:
        numerator: (T,) true positives (for precision) or summed orientation similarity, T <= 41.
        denominator: (T,) true and false positives.
    """
    curve = np.zeros(SAMPLES)
    np.divide(numerator, denominator, out=curve[: len(numerator)], where=np.asarray(denominator) > 0)
    return np.maximum.accumulate(curve[::-1])[::-1]


def r11(curve: np.ndarray) -> float:
    """Percent; mean of a (41,) curve at the 11 recalls 0, 0.1, ..., 1 (Everingham et al., IJCV 2010, section 4.2)."""
    return float(100 * curve[::4].mean())


def r40(curve: np.ndarray) -> float:
    """Percent; mean of a (41,) curve at the 40 recalls 1/40, ..., 1 (Simonelli et al., ICCV 2019, section 5)."""
    return float(100 * curve[1:].mean())
