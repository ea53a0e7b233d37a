"""Pairs of boxes that are one object: predicted and true, or before and after an annotator's correction."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from kecor.structures import wrap_angle


def same_boxes(before: np.ndarray, after: np.ndarray, tolerance: float) -> np.ndarray:
    """(B, A) whether two boxes, (B, 7) and (A, 7), differ by at most ``tolerance`` metres and radians."""
    difference = after[None] - before[:, None]
    difference[..., 6] = wrap_angle(difference[..., 6])
    return (np.abs(difference) <= tolerance + 1e-9).all(2)


def pair_boxes(before: np.ndarray, after: np.ndarray, same_name: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(K, 2) rows of boxes that are one object: kept ones first, then the nearest; at one place, the same class.

    The sum of the distances between centres is least. Boxes whose centres lie further apart than half the ground
    diagonal of the box before are no pair.

    Args:
        before: (B, 7).
        after: (A, 7).
        same_name: (B, A) whether the classes are the same.
        kept: (B, A) whether both are certainly one object.
    """
    distance = np.linalg.norm(before[:, None, :3] - after[None, :, :3], axis=2)
    far = distance > np.hypot(before[:, 3], before[:, 4])[:, None] / 2
    cost = np.where(far, 1e3, distance + np.where(same_name, 0, 0.01))
    rows, columns = linear_sum_assignment(np.where(kept, -1e9, cost))
    near = ~far[rows, columns] | kept[rows, columns]
    return np.stack([rows[near], columns[near]], 1)
