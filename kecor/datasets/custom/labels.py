"""Label files of own sweeps: ``x y z dx dy dz heading class``, one box a line, centre, LiDAR frame, metres, radians."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor.errors import DataError
from kecor.files import read_lines

FIELDS = "x y z dx dy dz heading class"
CALLED_NOTHING = ("DontCare", "dontcare", "ignore", "Ignore")
"""Names that annotation tools give to regions, not to objects."""


def read_label_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(M, 7) float64 boxes as written, headings not wrapped, and their (M,) class names. An empty file holds no object.

    Raises:
        DataError: the file is missing or unreadable, or a line has another number of words, a value that is not
            finite, or a size that is not positive; names the line.
    """
    boxes, names = [], []
    for number, line in read_lines(path):
        words = line.split()
        where = f"{path}:{number}"
        if len(words) != 8:
            raise DataError(f"{where}: {len(words)} words where 8 are expected ({FIELDS}){_hint(words)}: {line!r}")
        box = parse_numbers(words[:7], f"{where} ({FIELDS}{_hint(words)})")
        if (box[3:6] <= 0).any():
            raise DataError(f"{where}: sizes have to be above zero, got dx dy dz = {' '.join(words[3:6])}")
        if np.abs(box).max() > 1e6:
            raise DataError(f"{where}: a value is beyond 1e6: {line!r}")
        boxes.append(box)
        names.append(words[7])
    return np.array(boxes, np.float64).reshape(-1, 7), np.array(names, dtype=str)


def _hint(words: Sequence[str]) -> str:
    """What a line in another form most likely is."""
    if "," in "".join(words) or ";" in "".join(words):
        return "; separate them by spaces"
    first_is_name = words[0].replace("_", "").isalpha() and words[0].lower() not in ("nan", "inf")
    if first_is_name and len(words) in (15, 16):
        return "; this is a label file of KITTI, for data.type: kitti"
    if first_is_name:
        return "; the class comes last"
    if len(words) == 9:
        return "; a result file has a score at the end, a label file has none, and class names hold no space"
    return ""


def format_labels(boxes: np.ndarray, names: Sequence[str], scores: np.ndarray | None = None) -> str:
    """The text of a label file or, with ``scores``, of a result file."""
    lines = []
    for row, (box, name) in enumerate(zip(np.asarray(boxes, np.float64), names)):
        ending = "" if scores is None else f" {scores[row]:.6f}"
        lines.append(" ".join(f"{value:.4f}" for value in box) + f" {name}{ending}\n")
    return "".join(lines)


def parse_numbers(words: list[str], where: str) -> np.ndarray:
    """(N,) float64 of words; raises :class:`DataError` naming ``where`` when one is no finite number."""
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    if not np.isfinite(numbers).all():
        raise DataError(f"{where}: a value is not finite: {' '.join(words)!r}")
    return numbers
