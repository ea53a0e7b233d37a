"""Labels of earlier rounds that annotators have corrected since: a resumed run takes them over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kecor import run_dir
from kecor.active.annotators.bring_in import bring_in, delivery_folder
from kecor.active.annotators.hand_out import is_handed_out, read_handed_out
from kecor.active.annotators.outcome import write_outcome
from kecor.active.annotators.stored_labels import StoredLabels
from kecor.active.fingerprints import label_digest
from kecor.active.state import State
from kecor.config import OracleConfig
from kecor.errors import DataError


def take_corrections(
    state: State, work_dir: Path, oracle: OracleConfig, store: StoredLabels, log: Callable[[str], None]
) -> bool:
    """Read the deliveries of all purchases again; boxes and fingerprint of one whose labels changed are updated.

    The next training uses the new labels, and the boxes they hold are paid for.

    Returns:
        Whether ``state`` was changed; it is not saved here.

    Raises:
        DataError: labels of a bought frame are gone or faulty.
    """
    corrected = False
    for number, ids in enumerate(state.frames):
        folder = run_dir.source_dir(work_dir, number)
        if ids and is_handed_out(folder):
            _read_again(folder, ids, oracle, store, log)
        digest = label_digest(store, ids)
        if digest != state.label_digests[number]:
            corrected = True
            boxes, before = {i: len(store.read_labels(i)[0]) for i in ids}, state.boxes[number]
            state.relabel(number, boxes, digest)
            log(
                f"labels bought for round {number} were corrected: {state.boxes[number]} boxes instead of {before}; "
                "the next training uses them"
            )
            if is_handed_out(folder):
                write_outcome(folder, read_handed_out(folder), ids, store, oracle.format)
    return corrected


def _read_again(
    folder: Path, ids: list[str], oracle: OracleConfig, store: StoredLabels, log: Callable[[str], None]
) -> None:
    """Store corrected labels of one purchase; what cannot be used is named and changes nothing."""
    delivery = delivery_folder(folder, oracle.folder)
    try:
        returned = bring_in(folder, delivery, oracle.format, ids, read_handed_out(folder), store)
    except DataError as error:
        log(f"warning: corrections are not read: {error}")
        return
    for problem in returned.problems.values():
        log(f"warning: the labels stay as they were bought: {problem}")
    if returned.changed:
        log(f"corrected labels in {delivery}: {', '.join(returned.changed)}")
