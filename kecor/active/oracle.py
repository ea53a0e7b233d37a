"""The only way from a run to labels: bought frames are read with theirs, all others without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from kecor.active.fingerprints import label_digest
from kecor.datasets.base import Dataset
from kecor.errors import DataError
from kecor.structures import Boxes, Frame


class SimulatedOracle:
    """An annotator that already knows the labels of a data set and reveals those that were bought.

    Args:
        dataset: the labelled data set.
        rounds: ids of the bought frames, round by round. The oracle keeps a reference and never changes it: frames
            appended to it later count as bought.
    """

    def __init__(self, dataset: Dataset, rounds: Sequence[Sequence[str]] = ()) -> None:
        self._dataset = dataset
        self._rounds = rounds

    def buy(self, ids: Iterable[str]) -> dict[str, int]:
        """The number of true boxes in each of ``ids``, in the same order; no point cloud is read.

        Raises:
            DataError: labels are missing or cannot be read.
        """
        ids = list(ids)
        missing = [frame_id for frame_id in ids if not self._dataset.is_labelled(frame_id)]
        if missing:
            raise DataError(
                f"{len(missing)} of {len(ids)} selected frames have no labels, such as {missing[0]}; label the frames "
                "that selection.json lists and run again with --resume"
            )
        return {frame_id: len(self._dataset.read_labels(frame_id)[0]) for frame_id in ids}

    def digest(self, ids: Sequence[str]) -> str:
        """Fingerprint of the labels of ``ids``."""
        return label_digest(self._dataset, ids)

    def read(self, frame_id: str) -> Frame:
        """A bought frame with its labels.

        Raises:
            LookupError: the labels of ``frame_id`` were not bought.
        """
        self._check_bought(frame_id)
        return self._dataset.read(frame_id, labels=True)

    def read_labels(self, frame_id: str) -> tuple[Boxes, np.ndarray]:
        """Boxes and class names of a bought frame.

        Raises:
            LookupError: the labels of ``frame_id`` were not bought.
        """
        self._check_bought(frame_id)
        return self._dataset.read_labels(frame_id)

    def read_unlabelled(self, frame_id: str) -> Frame:
        """Any frame without its labels."""
        return self._dataset.read(frame_id, labels=False)

    def _check_bought(self, frame_id: str) -> None:
        if not any(frame_id in ids for ids in self._rounds):
            raise LookupError(f"frame {frame_id}: its labels were not bought")
