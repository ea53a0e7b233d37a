"""Reading selection.json: what a run's folder says was selected is checked before labels are bought."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from kecor.active.state import NEW_RUN
from kecor.errors import DataError, StateError
from kecor.files import read_json


def read_selection(path: Path, ids: Collection[str]) -> dict[str, Any]:
    """The record of a selection, as :func:`~kecor.active.selection.purchase.choose` made it.

    Args:
        path: the file.
        ids: frame ids of the training split; no other may be selected.

    Raises:
        StateError: the file is missing, damaged, or names frames that are not in the split or not unique.
    """
    try:
        record = read_json(path)
    except DataError as error:
        raise StateError(f"{error}; restore it, {NEW_RUN}") from error
    if fault := _fault(record, set(ids)):
        raise StateError(f"{path}: {fault}; restore it, {NEW_RUN}")
    return record


def _fault(record: object, known: set[str]) -> str | None:
    """What is wrong with a record; None when it can be used."""
    if not isinstance(record, dict):
        return f"expected a JSON object, got a {type(record).__name__}"
    picked, gains = record.get("ids"), record.get("gains")
    if not isinstance(picked, list) or not all(isinstance(frame_id, str) for frame_id in picked):
        return f"ids: expected a list of frame ids, got {picked!r:.80}"
    unknown = [frame_id for frame_id in picked if frame_id not in known]
    if unknown:
        return f"ids: {unknown[0]!r:.80} is not a frame of the training split"
    if len(set(picked)) < len(picked):
        return "ids: a frame is listed twice"
    if not isinstance(gains, list) or len(gains) != len(picked) or not all(map(_is_number, gains)):
        return f"gains: expected {len(picked)} numbers, one for each frame, got {gains!r:.80}"
    if not isinstance(record.get("info"), dict):
        return f"info: expected a JSON object, got {record.get('info')!r:.80}"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
