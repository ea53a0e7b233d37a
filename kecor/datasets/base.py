"""The protocol of a data set: frames with an id, read one at a time, with or without their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from kecor.structures import Boxes, Frame


class Dataset(Protocol):
    """The frames of one split.

    Constructors take ``root``, ``split`` and ``classes``. Their other arguments, such as ``camera_view`` of ``kitti``,
    are keys of the config's section ``data``. What a data set may offer besides, so that faults of its files are named
    before training, is listed in :mod:`kecor.datasets.account.hooks`.

    Attributes:
        root: folder of the data set.
        split: name of the split.
        ids: frame ids, in the order of the split; both labelled and unlabelled frames.
        classes: class names that count as ground truth, in the order of the 0-based labels.
        n_features: columns of :attr:`~kecor.structures.Frame.points`; x, y and z come first.
        metric: registered name of the metric the data set is measured with by default.
    """

    root: Path
    split: str
    ids: list[str]
    classes: list[str]
    n_features: int
    metric: str

    def __len__(self) -> int:
        """Number of frames."""
        ...

    def read(self, frame_id: str, labels: bool = True) -> Frame:
        """One frame. With ``labels=False`` its labels are not opened and it has no boxes.

        Raises:
            DataError: a file of the frame is missing or faulty; the message names it and says what to do.
        """
        ...

    def read_labels(self, frame_id: str) -> tuple[Boxes, np.ndarray]:
        """Boxes (M, 7) and class names (M,) of a labelled frame; its point cloud is not read.

        Raises:
            DataError: the frame has no labels, or they are faulty.
        """
        ...

    def is_labelled(self, frame_id: str) -> bool:
        """Whether labels of the frame exist. An empty label file is a label: the frame holds no object."""
        ...

    def sequence(self, frame_id: str) -> str | None:
        """Name of the drive the frame belongs to, or None where the data set does not say."""
        ...

    def timestamp(self, frame_id: str) -> float | None:
        """Seconds, comparable within a sequence, or None where the data set does not say."""
        ...
