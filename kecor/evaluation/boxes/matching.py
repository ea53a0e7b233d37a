"""Which detection finds which object of its frame."""

from __future__ import annotations

import numpy as np
from numba import njit


def match(overlaps: np.ndarray, scores: np.ndarray, min_overlap: float) -> np.ndarray:
    """(K,) int64 object that each detection finds, -1 for none.

    Detections choose in the order of their scores, of equal ones the better placed first; each takes the object that
    it overlaps most of those not yet taken, if the overlap is at least ``min_overlap`` (Everingham et al., IJCV 2010,
    section 4.2, but that a detection whose object is taken may find another).

    Args:
        overlaps: (M, K) intersection over union of objects and detections.
        scores: (K,).
    """
    if overlaps.size == 0:
        return np.full(overlaps.shape[1], -1, np.int64)
    order = np.lexsort([-overlaps.max(axis=0), -scores])
    return _match(np.ascontiguousarray(overlaps, np.float64), order, min_overlap)


@njit(cache=True, nogil=True)
def _match(overlaps, order, min_overlap):
    found = np.full(overlaps.shape[1], -1, np.int64)
    taken = np.zeros(overlaps.shape[0], np.bool_)
    for j in order:
        best = -1
        for i in range(overlaps.shape[0]):
            if taken[i] or overlaps[i, j] < min_overlap:
                continue
            if best < 0 or overlaps[i, j] > overlaps[best, j]:
                best = i
        if best >= 0:
            taken[best] = True
            found[j] = best
    return found
