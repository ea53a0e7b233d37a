"""What a data set may tell besides the protocol, so that faults of its files are named; each has a default."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kecor.datasets.base import Dataset
from kecor.structures import Frame


def written_boxes(dataset: Dataset, frame: Frame) -> np.ndarray:
    """(M, 7) boxes of a frame as its file has them, float64: headings not wrapped, no ``label_reading`` applied.

    ``dataset.written_boxes(frame_id)``; by default the boxes that were read.
    """
    method = getattr(dataset, "written_boxes", None)
    return np.asarray(frame.boxes if method is None else method(frame.frame_id), np.float64)


def other_boxes(dataset: Dataset, frame_id: str) -> dict[str, np.ndarray]:
    """What the file of a frame would mean if it was written otherwise: description -> (M, 7) boxes.

    ``dataset.other_boxes(frame_id)``; by default nothing. The description goes on after "they do when".
    """
    method = getattr(dataset, "other_boxes", None)
    return {} if method is None else method(frame_id)


def all_names(dataset: Dataset, frame_id: str) -> list[str]:
    """The class names in a frame's labels, those that are not trained included.

    ``dataset.all_names(frame_id)``; by default the names of ``read_labels``.
    """
    method = getattr(dataset, "all_names", None)
    return [str(name) for name in (dataset.read_labels(frame_id)[1] if method is None else method(frame_id))]


def suspicions(dataset: Dataset, frame_ids: Sequence[str]) -> list[str]:
    """What looks wrong about files that only this kind of data set has: ``dataset.suspicions(frame_ids)``."""
    method = getattr(dataset, "suspicions", None)
    return [] if method is None else method(frame_ids)


def present_readings(dataset: Dataset) -> list[str] | None:
    """``dataset.label_reading``: how its labels are read; None where that cannot be set."""
    return getattr(dataset, "label_reading", None)


def max_intensity(dataset: Dataset) -> float:
    """The largest intensity expected: ``dataset.max_intensity``, by default 1."""
    return float(getattr(dataset, "max_intensity", 1.0))
