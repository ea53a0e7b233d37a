"""What annotators did with the pre-labels: kept, moved, renamed, added, deleted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kecor.geometry.pairs import pair_boxes, same_boxes
from kecor.labelling.base import LabelledBoxes, Labels


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
    same_box = same_boxes(before.boxes, after.boxes, tolerance)
    pairs = pair_boxes(before.boxes, after.boxes, same_name, same_name & same_box)
    rows, columns = pairs.T
    same_name, same_box = same_name[rows, columns], same_box[rows, columns]
    return FrameChanges(
        kept=pairs[same_name & same_box],
        moved=pairs[same_name & ~same_box],
        renamed=pairs[~same_name],
        added=np.setdiff1d(np.arange(len(after)), columns),
        deleted=np.setdiff1d(np.arange(len(before)), rows),
    )
