"""Fingerprints of what a resumed run depends on: files of finished stages and bought labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor import run_dir
from kecor.active.state import NEW_RUN, State
from kecor.datasets.base import Dataset
from kecor.errors import StateError
from kecor.files import file_digest

WRITTEN = {
    "train": run_dir.CHECKPOINT,
    "evaluate": run_dir.METRICS,
    "select": run_dir.SELECTION,
    "label": run_dir.SELECTION,
}
"""Stage -> the file of its round that later stages read."""


def note_file(state: State, stage: str, number: int, work_dir: Path) -> None:
    """Record the fingerprint of what ``stage`` of round ``number`` wrote."""
    path = run_dir.round_dir(work_dir, number) / WRITTEN.get(stage, "")
    if path.is_file():
        state.files[path.relative_to(work_dir).as_posix()] = file_digest(path)


def check_files_unchanged(state: State, work_dir: Path) -> None:
    """Raise StateError when a file was changed after the run wrote it. Files that are missing are not looked at."""
    for name, digest in state.files.items():
        path = work_dir / name
        if path.is_file() and file_digest(path) != digest:
            raise StateError(f"{path}: was changed or damaged after the run wrote it; restore it, {NEW_RUN}")


def check_labels_unchanged(state: State, dataset: Dataset) -> None:
    """Raise StateError when labels were changed after they were bought.

    Rounds of an older kecor, which recorded no fingerprints, get theirs now.
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
