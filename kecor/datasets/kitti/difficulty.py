"""KITTI's three levels of difficulty."""

from __future__ import annotations

import numpy as np

from kecor.datasets.kitti.labels import DONT_CARE, KittiObjects

LEVELS = ("easy", "moderate", "hard")
MIN_HEIGHT = (40, 25, 25)
"""Pixels; the height of the 2D box must lie above it."""
MAX_OCCLUSION = (0, 1, 2)
MAX_TRUNCATION = (0.15, 0.3, 0.5)


def difficulty(objects: KittiObjects, heights: bool = True) -> np.ndarray:
    """Level of each object: 0 easy, 1 moderate, 2 hard; -1 when it fits none (KITTI object benchmark, evaluation page).

    An object fits a level by the height of its 2D box, its occlusion and its truncation. Label files derived from the
    tracking set give truncation as 0, 1 or 2 (not, partly, largely truncated) in place of a share. Those numbers are
    compared as they stand, so 1 and 2 lie above every limit and the object is of no level: the official evaluator
    reads them so, the tracking benchmark likewise counts untruncated objects alone, and a share of 1.00 in
    an object file cannot be distinguished from the level 1.

    Args:
        heights: False for labels without 2D boxes: occlusion and truncation alone decide.

    Returns:
        (M,) int64.
    """
    height = objects.bbox[:, 3] - objects.bbox[:, 1]
    level = np.full(len(objects), -1, np.int64)
    for k in reversed(range(len(LEVELS))):  # the levels are nested: the easiest that fits stays
        fits = ((height > MIN_HEIGHT[k]) | (not heights)) & (objects.occluded <= MAX_OCCLUSION[k])
        level[fits & (objects.truncated <= MAX_TRUNCATION[k])] = k
    level[objects.names == DONT_CARE] = -1
    return level
