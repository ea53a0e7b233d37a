"""Some frames of a data set, spread evenly: enough to measure what all of them are like, in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kecor.datasets.account.hooks import other_boxes, written_boxes
from kecor.datasets.base import Dataset
from kecor.structures import Frame

FRAMES = 100
"""Frames that are read."""
TRIED = 20
"""Of these, frames on which other readings of clouds and labels are tried."""


@dataclass
class Sample:
    """Labelled frames of a data set.

    Attributes:
        frames: as they are trained on.
        written: the same with boxes as their files have them; see :func:`~kecor.datasets.account.hooks.written_boxes`.
        others: what the labels of the first frames would mean if they were written otherwise, a dict a frame.
    """

    frames: list[Frame]
    written: list[Frame]
    others: list[dict[str, np.ndarray]]


def evenly(ids: Sequence[str], n: int) -> list[str]:
    """Up to ``n`` of ``ids``, the first and the last among them, in their order."""
    if len(ids) <= n:
        return list(ids)
    return [ids[i] for i in np.linspace(0, len(ids) - 1, n).round().astype(int)]


def take_sample(dataset: Dataset, ids: Sequence[str], n: int = FRAMES) -> Sample:
    """Read up to ``n`` of the labelled frames ``ids``.

    Raises:
        DataError: a file of one of them is missing or faulty.
    """
    frames = [dataset.read(frame_id) for frame_id in evenly(ids, n)]
    written = [replace(frame, boxes=written_boxes(dataset, frame)) for frame in frames]
    others = [other_boxes(dataset, frame.frame_id) for frame in evenly_frames(frames)]
    return Sample(frames, written, others)


def evenly_frames(frames: Sequence[Frame], n: int = TRIED) -> list[Frame]:
    """Up to ``n`` of ``frames``, spread evenly."""
    kept = set(evenly([frame.frame_id for frame in frames], n))
    return [frame for frame in frames if frame.frame_id in kept]
