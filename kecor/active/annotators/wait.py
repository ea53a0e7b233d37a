"""The stage ``waiting``: frames are handed out once; the run goes on when the labels of all of them have come back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor import run_dir
from kecor.active.annotators.bring_in import Returned, bring_in, delivery_folder
from kecor.active.annotators.hand_out import hand_out, read_handed_out
from kecor.active.annotators.outcome import write_outcome
from kecor.active.annotators.stored_labels import StoredLabels
from kecor.active.run import Run
from kecor.evaluation.confidence import score_thresholds
from kecor.labelling.base import LabelledBoxes, Labels
from kecor.structures import Detections, FrameSet

NAMED = 50
"""Missing frames that a message names."""


def hand_out_frames(al: Run, store: StoredLabels, folder: Path, ids: list[str], prelabels: Labels) -> None:
    """Export ``ids`` for annotators and say what to do next."""
    oracle, started = al.config.oracle, time.perf_counter()
    hand_out(folder, oracle.format, ids, al.oracle.read_unlabelled, prelabels, store.classes)
    boxes, work = sum(map(len, prelabels.values())), folder / run_dir.TO_LABEL
    where = "save the labels there"
    if oracle.folder is not None:
        where = f"put what your tool exports, unpacked, into {delivery_folder(folder, oracle.folder)}"
    al.log(f"handed out {len(ids)} frames with {boxes} boxes to start from in {time.perf_counter() - started:.1f} s")
    al.log(f"{work}: waits for annotators; label it as README.txt says, {where}, and run again with --resume")


def prelabels_of(al: Run, ids: list[str], pool: FrameSet, labelled: FrameSet) -> Labels:
    """Detections in ``ids`` that are correct with a probability of at least ``oracle.min_confidence``."""
    classes = al.config.data.classes
    truth = [al.oracle.read_labels(frame_id) for frame_id in labelled.ids.tolist()]
    thresholds = score_thresholds(labelled.detections, truth, classes, al.config.oracle.min_confidence)
    found = dict(zip(pool.ids.tolist(), pool.detections))
    prelabels = {}
    for frame_id in ids:
        kept = found[frame_id].scores >= thresholds[found[frame_id].labels]
        labels = as_labels(found[frame_id], classes)
        prelabels[frame_id] = LabelledBoxes(labels.names[kept], labels.boxes[kept])
    return prelabels


def as_labels(found: Detections, classes: Sequence[str]) -> LabelledBoxes:
    """Detections as boxes with class names."""
    names = np.array([classes[label] for label in found.labels], dtype=str)
    return LabelledBoxes(names, np.asarray(found.boxes, np.float64).reshape(-1, 7))


def collect_labels(al: Run, store: StoredLabels, folder: Path) -> list[str] | None:
    """Read what has come back of the frames handed out in ``folder``.

    Returns:
        The frames that are labelled, in pick order: all, or with ``accept_missing`` at least one. None while the run
        has to wait.
    """
    handed_out, oracle = read_handed_out(folder), al.config.oracle
    delivery = delivery_folder(folder, oracle.folder)
    returned = bring_in(folder, delivery, oracle.format, handed_out.ids, handed_out, store)
    _say_what_is_odd(al, returned)
    labelled = [frame_id for frame_id in handed_out.ids if store.is_stored(frame_id)]
    missing = [frame_id for frame_id in handed_out.ids if not store.is_stored(frame_id)]
    if returned.problems:
        al.log(f"{delivery}: {len(returned.problems)} frames cannot be used:")
        for problem in returned.problems.values():
            al.log(f"  {problem}")
        al.log("correct them and run again with --resume")
        return None
    if missing and not (al.accept_missing and labelled):
        al.log(_missing_text(missing, len(handed_out.ids), delivery))
        return None
    if missing:
        al.log(f"{len(missing)} frames without labels are back in the pool: {_listed(missing)}")
    al.log(write_outcome(folder, handed_out, labelled, store, oracle.format))
    return labelled


def _say_what_is_odd(al: Run, returned: Returned) -> None:
    for note in returned.notes:
        al.log(f"note: {note}")
    if returned.unknown:
        al.log(f"note: labels of frames that were not handed out are left out: {_listed(returned.unknown)}")


def _missing_text(missing: list[str], total: int, delivery: Path) -> str:
    return (
        f"{len(missing)} of {total} frames have no labels in {delivery} yet: {_listed(missing)}; label them and run "
        "again with --resume, or with --resume --accept-missing to put them back into the pool"
    )


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more
