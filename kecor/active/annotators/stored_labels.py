"""A data set whose labels are those that annotators returned."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from kecor.datasets.base import Dataset
from kecor.labelling.base import LabelledBoxes
from kecor.labelling.formats.openpcdet_custom import read_label_file
from kecor.structures import Boxes, Frame, as_boxes


class StoredLabels:
    """A data set with labels from the run's own folder; frames without one there have the labels of the data set.

    Args:
        dataset: it is read and never changed.
        folder: holds ``ID.txt`` of each frame that annotators returned.
    """

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        self.dataset, self.folder = dataset, folder
        self.root, self.split, self.ids, self.classes = dataset.root, dataset.split, dataset.ids, dataset.classes
        self.n_features, self.metric = dataset.n_features, dataset.metric

    def __len__(self) -> int:
        return len(self.dataset)

    def is_stored(self, frame_id: str) -> bool:
        """Whether annotators returned the frame, be it without boxes."""
        return self.path(frame_id).is_file()

    def stored(self, frame_id: str) -> LabelledBoxes:
        """The boxes that annotators returned.

        Raises:
            DataError: there are none, or their file is faulty.
        """
        return read_label_file(self.path(frame_id))

    def path(self, frame_id: str) -> Path:
        """The label file of a frame in the run's folder."""
        return self.folder / f"{frame_id}.txt"

    def is_labelled(self, frame_id: str) -> bool:
        """Whether the frame has labels, of annotators or of the data set."""
        return self.is_stored(frame_id) or self.dataset.is_labelled(frame_id)

    def read_labels(self, frame_id: str) -> tuple[Boxes, np.ndarray]:
        """Boxes (M, 7) and class names (M,).

        Raises:
            DataError: the frame has no labels, or they are faulty.
        """
        if not self.is_stored(frame_id):
            return self.dataset.read_labels(frame_id)
        labels = self.stored(frame_id)
        wanted = np.isin(labels.names, self.classes)
        return as_boxes(labels.boxes[wanted], str(self.path(frame_id))), labels.names[wanted]

    def read(self, frame_id: str, labels: bool = True) -> Frame:
        """A frame, with ``labels`` those of :meth:`read_labels`.

        Raises:
            DataError: a file of the frame is missing or faulty.
        """
        if not labels or not self.is_stored(frame_id):
            return self.dataset.read(frame_id, labels)
        boxes, names = self.read_labels(frame_id)
        return dataclasses.replace(self.dataset.read(frame_id, labels=False), boxes=boxes, names=names)

    def read_unlabelled(self, frame_id: str) -> Frame:
        """A frame without its labels."""
        return self.dataset.read(frame_id, labels=False)

    def sequence(self, frame_id: str) -> str | None:
        """The drive of a frame."""
        return self.dataset.sequence(frame_id)

    def timestamp(self, frame_id: str) -> float | None:
        """Seconds."""
        return self.dataset.timestamp(frame_id)
