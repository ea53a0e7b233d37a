"""Storing labels that came back, in kecor's own layout."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kecor.errors import DataError
from kecor.files import write_text
from kecor.frame_ids import check_frame_id
from kecor.labelling.base import Labels
from kecor.labelling.formats.openpcdet_custom import format_boxes


def store_labels(folder: str | Path, labels: Labels) -> Counter[str]:
    """Write ``folder/ID.txt`` of each frame; an empty file says that the frame holds no object.

    Returns:
        How many files are ``new``, ``replaced`` by other labels, or ``same`` as before.

    Raises:
        DataError: a class name holds a blank, or a file cannot be written; nothing is written in the first case.
    """
    texts = {check_frame_id(frame_id, "labels"): format_boxes(boxes) for frame_id, boxes in labels.items()}
    done: Counter[str] = Counter()
    for frame_id, text in texts.items():
        path = Path(folder) / f"{frame_id}.txt"
        try:
            before = path.read_bytes() if path.exists() else None
            done["new" if before is None else "same" if before == text.encode() else "replaced"] += 1
            write_text(path, text)
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    return done
