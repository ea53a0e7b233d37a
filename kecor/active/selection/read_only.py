"""Read-only views of a frame set, so that an acquisition function cannot change what the run holds."""

from __future__ import annotations

import dataclasses

import numpy as np

from kecor.structures import Detections, FrameSet


def read_only(frames: FrameSet) -> FrameSet:
    """A copy of a frame set whose arrays are read-only views of the same data."""
    copy = FrameSet(
        frames.ids.copy(),
        {name: _view(array) for name, array in frames.feats.items()},
        [_read_only_detections(found) for found in frames.detections],
        {name: _view(array) for name, array in frames.meta.items()},
    )
    copy.ids.flags.writeable = False
    return copy


def _read_only_detections(found: Detections) -> Detections:
    arrays = {name: _view(array) for name, array in vars(found).items() if array is not None}
    return dataclasses.replace(found, **arrays)


def _view(array: np.ndarray) -> np.ndarray:
    if not isinstance(array, np.ndarray):  # rows that are read on demand
        return array
    view = array.view()
    view.flags.writeable = False
    return view
