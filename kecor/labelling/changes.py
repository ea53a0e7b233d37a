"""What annotators did with the pre-labels: kept, moved, renamed, added, deleted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from kecor.labelling.base import LabelledBoxes, Labels
from kecor.structures import wrap_angle


@dataclass
class FrameChanges:
    """The changes in one frame; rows of the boxes before and after.

    Attributes:
        kept: (K, 2) rows before and after of boxes whose numbers and class are the same.
        moved: (K, 2) of boxes with the same class and another place, size or heading.
        renamed: (K, 2) of boxes with another class.
        added: (K,) rows after.
        deleted: (K,) rows before.
    """

    kept: np.ndarray
    moved: np.ndarray
    renamed: np.ndarray
    added: np.ndarray
    deleted: np.ndarray

    def counts(self) -> dict[str, int]:
        """How many boxes of each kind."""
        return {kind: len(rows) for kind, rows in vars(self).items()}


def compare_with_prelabels(before: Labels, after: Labels, tolerance: float = 1e-4) -> dict[str, FrameChanges]:
    """What annotators changed in each frame of ``after``. A frame without pre-labels has only added boxes.

    Boxes that are the same are kept; the others are paired so that the sum of the distances between centres is
    least. Boxes whose centres lie further apart than half the pre-label's ground diagonal are no pair.

    Args:
        before: pre-labels as they were exported.
        after: labels as they came back.
        tolerance: metres and radians by which a format rounds; a change within it is none.
    """
    return {name: _compare(before.get(name, LabelledBoxes()), labels, tolerance) for name, labels in after.items()}


def _compare(before: LabelledBoxes, after: LabelledBoxes, tolerance: float) -> FrameChanges:
    same_name = before.names[:, None] == after.names[None, :]
    same_box = _same_box(before.boxes, after.boxes, tolerance)
    pairs = _pairs(before.boxes, after.boxes, same_name, same_name & same_box)
    rows, columns = pairs.T
    same_name, same_box = same_name[rows, columns], same_box[rows, columns]
    return FrameChanges(
        kept=pairs[same_name & same_box],
        moved=pairs[same_name & ~same_box],
        renamed=pairs[~same_name],
        added=np.setdiff1d(np.arange(len(after)), columns),
        deleted=np.setdiff1d(np.arange(len(before)), rows),
    )


def _same_box(before: np.ndarray, after: np.ndarray, tolerance: float) -> np.ndarray:
    """(B, A) whether two boxes differ by no more than rounding does."""
    difference = after[None] - before[:, None]
    difference[..., 6] = wrap_angle(difference[..., 6])
    return (np.abs(difference) <= tolerance + 1e-9).all(2)


def _pairs(before: np.ndarray, after: np.ndarray, same_name: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(K, 2) rows of boxes that are one object: kept ones first, then the nearest; at one place, the same class."""
    distance = np.linalg.norm(before[:, None, :3] - after[None, :, :3], axis=2)
    far = distance > np.hypot(before[:, 3], before[:, 4])[:, None] / 2
    cost = np.where(far, 1e3, distance + np.where(same_name, 0, 0.01))
    rows, columns = linear_sum_assignment(np.where(kept, -1e9, cost))
    near = ~far[rows, columns] | kept[rows, columns]
    return np.stack([rows[near], columns[near]], 1)
