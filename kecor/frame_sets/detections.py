"""Detections of a set of frames as arrays: the rows of all frames, concatenated, and their offsets."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from kecor.errors import DataError
from kecor.structures import Detections, FrameSet

COLUMNS = {f"det_{name}": name for name in ("boxes", "scores", "labels", "logits", "n_points")}
"""Array -> field of :class:`~kecor.structures.Detections`."""


def take_detections(arrays: dict[str, np.ndarray]) -> list[Detections]:
    """Remove the detection arrays from ``arrays`` and return one :class:`Detections` per frame, if there are any."""
    if "det_offsets" not in arrays:
        return []
    spans = list(pairwise(arrays.pop("det_offsets").tolist()))
    columns = {field: np.asarray(arrays.pop(name)) for name, field in COLUMNS.items() if name in arrays}
    return [Detections(**{field: column[a:b] for field, column in columns.items()}) for a, b in spans]


def detection_arrays(frames: FrameSet, path: Path) -> dict[str, np.ndarray]:
    """The detections of all frames, concatenated, by array name; empty without detections.

    Raises:
        DataError: a frame lacks a field that others have, or has a wrong number of rows; names ``path`` and the frame.
    """
    if not frames.detections:
        return {}
    numbers = [len(d) for d in frames.detections]
    columns = {"det_offsets": np.concatenate([[0], np.cumsum(numbers)]).astype(np.int64)}
    for name, field in COLUMNS.items():
        parts = [getattr(d, field) for d in frames.detections]
        if all(part is None for part in parts):
            continue
        for frame_id, part, boxes in zip(frames.ids, parts, numbers):
            if part is None or len(part) != boxes:
                rows = "no rows" if part is None else f"{len(part)} rows"
                raise DataError(f"{path}: {name}: frame {str(frame_id)!r} has {rows} for {boxes} boxes")
        columns[name] = _joined([np.asarray(part) for part in parts], f"{path}: {name}")
    return columns


def _joined(parts: list[np.ndarray], where: str) -> np.ndarray:
    """The concatenated ``parts``. Type and columns are those of the non-empty parts, if there are any."""
    try:
        return np.concatenate([part for part in parts if len(part)] or parts[:1])
    except ValueError as error:
        raise DataError(f"{where}: the frames' arrays differ in shape: {error}") from error
