"""The only way the rounds get to labels: bought frames are shown with theirs, all others without."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from kecor.structures import Frame


class LabelledDataset(Protocol):
    """What the oracle needs of a data set."""

    def read(self, frame_id: str, labels: bool = True) -> Frame:
        """One frame; with ``labels=False`` its label file is not opened."""


class SimulatedOracle:
    """An annotator who already knows the answers of a fully labelled data set and reveals those that were bought.

    Args:
        dataset: the labelled data set.
        bought: ids bought before, when a run resumes.
    """

    def __init__(self, dataset: LabelledDataset, bought: Iterable[str] = ()) -> None:
        self._dataset = dataset
        self._bought = set(bought)

    def label(self, ids: Iterable[str]) -> dict[str, int]:
        """Buy the labels of ``ids``; the number of true boxes in each, in the same order.

        Raises:
            kecor.errors.DataError: a label file cannot be read; no frame is bought then.
        """
        boxes = {frame_id: len(self._dataset.read(frame_id, labels=True).boxes) for frame_id in ids}
        self._bought.update(boxes)
        return boxes

    def read(self, frame_id: str) -> Frame:
        """A bought frame with its labels.

        Raises:
            LookupError: the labels of ``frame_id`` were not bought.
        """
        if frame_id not in self._bought:
            raise LookupError(f"frame {frame_id}: its labels were not bought")
        return self._dataset.read(frame_id, labels=True)

    def read_unlabelled(self, frame_id: str) -> Frame:
        """Any frame without its labels."""
        return self._dataset.read(frame_id, labels=False)
