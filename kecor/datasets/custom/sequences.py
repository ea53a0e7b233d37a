"""Where and when sweeps were taken: ``poses.txt`` and ``timestamps.txt`` of a folder of own sweeps, both optional."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor.datasets.custom.labels import parse_numbers
from kecor.errors import DataError
from kecor.files import read_lines


def read_values(path: Path, ids: Sequence[str], width: int) -> dict[str, np.ndarray]:
    """Frame id -> (width,) float64 of a file with one line a frame; empty without the file.

    Lines are ``ID`` and ``width`` numbers, or the numbers alone: then one for each of ``ids``, in their order.

    Raises:
        DataError: a line has another number of words or no finite number, or the lines are not as many as the frames.
    """
    if not path.exists():
        return {}
    lines = read_lines(path)
    values = {}
    for position, (number, line) in enumerate(lines):
        words = line.split()
        if len(words) not in (width, width + 1):
            raise DataError(f"{path}:{number}: {len(words)} words; {width} numbers are expected, with or without an id")
        named = len(words) == width + 1
        if not named and len(lines) != len(ids):
            raise DataError(f"{path}: {len(lines)} lines for {len(ids)} frames; begin each line with its frame's id")
        values[words[0] if named else ids[position]] = parse_numbers(words[-width:], f"{path}:{number}")
    return values


def sequence_of(frame_id: str, one_drive: bool) -> str | None:
    """The folder of an id; without one, ``""`` where all frames are known to be of one drive, else None."""
    folder, slash, _ = frame_id.rpartition("/")
    return folder if slash or one_drive else None
