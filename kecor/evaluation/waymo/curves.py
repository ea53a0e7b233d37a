"""Precision over recall, and the area below it, as the Waymo Open Dataset computes them: in float32."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

MAX_RECALL_STEP = np.float32(0.05)
"""A longer way between two recalls is filled with points at the precision of its far end."""
_TOLERANCE = np.float32(1e-6)


@dataclass(frozen=True)
class Curve:
    """Counts and rates at each of the 101 cut-offs, and the areas.

    Attributes:
        tp, fp, fn: (101,) int64.
        precision: (101,) float32; 1 where the recall is 0.
        precision_ha: (101,) float32, each match weighted by its heading accuracy.
        recall: (101,) float32; both precisions are taken over it.
        ap: area below ``precision``, in [0, 1].
        aph: area below ``precision_ha``.
    """

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    precision: np.ndarray
    precision_ha: np.ndarray
    recall: np.ndarray
    ap: float
    aph: float


def curve(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, heading: np.ndarray) -> Curve:
    """The curve of one shard and level from its (101,) counts and summed heading accuracy."""
    recall = _share(tp, tp + fn)
    precision, precision_ha = (_share(x, tp + fp) for x in (tp, heading))
    for values in (precision, precision_ha):
        values[recall == 0] = 1
    areas = area(precision, recall), area(precision_ha, recall)
    return Curve(tp, fp, fn, precision, precision_ha, recall, *areas)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    out = np.zeros(len(whole), np.float32)
    np.divide(part.astype(np.float32), whole.astype(np.float32), out=out, where=whole > 0)
    return out


def area(precision: np.ndarray, recall: np.ndarray) -> float:
    """Area below the greatest precision at each recall or beyond (``ComputeMeanAveragePrecision``).

    Args:
        precision: (K,) float32.
        recall: (K,) float32, in any order.
    """
    best = {np.float32(0): np.float32(1)}
    for r, p in zip(recall, precision):
        best[r] = max(best.get(r, np.float32(0)), p)
    points: list[tuple[np.float32, np.float32]] = []
    last, highest = np.float32(0), np.float32(0)
    for r in sorted(best, reverse=True):
        while last - r > MAX_RECALL_STEP + _TOLERANCE:
            last -= MAX_RECALL_STEP
            points.append((last, highest))
        highest = max(highest, best[r])
        points.append((r, highest))
        last = r
    if len(points) > 1:  # nothing was measured at recall 0
        points[-1] = points[-1][0], points[-2][1]
    total = np.float32(0)
    for (r, p), (next_r, next_p) in pairwise(points):
        total += np.float32(0.5) * (r - next_r) * (p + next_p)
    return float(total)
