"""Fingerprints of what a resumed run depends on: files of finished stages and bought labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor import run_dir
from kecor.active.state import NEW_RUN, State
from kecor.datasets.base import Dataset
from kecor.errors import DataError, StateError
from kecor.files import file_digest, json_text, read_json

WRITTEN = {
    "train": run_dir.CHECKPOINT,
    "evaluate": run_dir.METRICS,
    "select": run_dir.SELECTION,
    "label": run_dir.SELECTION,
}
"""Stage -> the file of its round that later stages read."""
ADDED_BY_LABEL = ("true_boxes", "true_cost", "postponed", "bought")
"""Keys that the stage ``label`` adds to selection.json before the state records the stage as finished."""


def note_file(state: State, stage: str, number: int, work_dir: Path) -> None:
    """Record the fingerprint of what ``stage`` of round ``number`` wrote."""
    path = run_dir.round_dir(work_dir, number) / WRITTEN.get(stage, "")
    if path.is_file():
        state.files[path.relative_to(work_dir).as_posix()] = file_digest(path)


def check_files_unchanged(state: State, work_dir: Path) -> None:
    """Compare the files of finished stages with their fingerprints; missing files are skipped.

    Raises:
        StateError: a file was changed after the run wrote it, or cannot be read.
    """
    in_label = run_dir.round_dir(work_dir, state.round) / run_dir.SELECTION if state.stage == "label" else None
    for name, digest in state.files.items():
        path = work_dir / name
        if not path.is_file() or digest == _digest(path):
            continue
        if path != in_label or digest != _digest_without_labels(path):
            raise StateError(f"{path}: was changed or damaged after the run wrote it; restore it, {NEW_RUN}")


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except DataError as error:
        raise StateError(f"{error}; restore it, {NEW_RUN}") from error


def _digest_without_labels(path: Path) -> str | None:
    """Fingerprint of a selection.json as the stage ``select`` wrote it; None when it is not valid JSON.

    A run that is killed in the stage ``label`` may already have added the true boxes.
    """
    try:
        record = read_json(path)
    except DataError:
        return None
    if not isinstance(record, dict):
        return None
    selected = {key: value for key, value in record.items() if key not in ADDED_BY_LABEL}
    return hashlib.sha256(json_text(selected).encode()).hexdigest()


def check_labels_unchanged(state: State, dataset: Dataset) -> None:
    """Compare bought labels with their fingerprints; rounds without one, written by an older kecor, get it now.

    Raises:
        StateError: labels were changed after they were bought.
    """
    state.label_digests += [label_digest(dataset, ids) for ids in state.frames[len(state.label_digests) :]]
    for number, (ids, digest) in enumerate(zip(state.frames, state.label_digests)):
        if label_digest(dataset, ids) != digest:
            raise StateError(
                f"the labels of frames bought for round {number} (such as {ids[0]}) have changed since then; restore "
                f"them, {NEW_RUN}"
            )


def label_digest(dataset: Dataset, ids: Sequence[str]) -> str:
    """SHA-256 of the boxes and class names of frames."""
    digest = hashlib.sha256()
    for frame_id in ids:
        boxes, names = dataset.read_labels(frame_id)
        digest.update(frame_id.encode())
        digest.update(np.ascontiguousarray(boxes, np.float32).tobytes())
        digest.update("\n".join(map(str, names)).encode())
    return digest.hexdigest()
