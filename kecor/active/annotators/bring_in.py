"""Reading what annotators returned for one round, as often as they send something."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from kecor import run_dir
from kecor.active.annotators.hand_out import HandedOut
from kecor.active.annotators.stored_labels import StoredLabels
from kecor.errors import DataError
from kecor.files import file_digest, read_json, write_json
from kecor.labelling.delivery import read_delivery
from kecor.labelling.formats.labelcloud import LabelCloud
from kecor.labelling.formats.labelcloud_writing import CLASSES_NAME
from kecor.labelling.formats.openpcdet_custom import format_boxes
from kecor.labelling.store import store_labels


@dataclass
class Returned:
    """What came back.

    Attributes:
        changed: frames whose stored labels are new or other than before.
        problems: frame -> why its labels cannot be used.
        unknown: names of frames that were not asked for.
        notes: what was odd and could be used.
    """

    changed: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def delivery_folder(folder: Path, deliveries: str | None) -> Path:
    """Where the labels of the round in ``folder`` come back: ``oracle.folder``/NAME or what was handed out itself."""
    return folder / run_dir.TO_LABEL if deliveries is None else Path(deliveries) / folder.name


def bring_in(
    folder: Path, delivery: Path, format_name: str, ids: list[str], handed_out: HandedOut, store: StoredLabels
) -> Returned:
    """Store the labels of a delivery that are new or have changed since it was last read.

    Frames that ``delivery`` does not hold keep the labels they have. Where annotators work in the export itself, label
    files that are still as they were handed out are not labels.

    Args:
        folder: of the round.
        delivery: what annotators returned; nothing where it does not exist.
        format_name: how it is written.
        ids: the frames that are asked for.
        handed_out: what was handed out.
        store: where labels are kept.

    Raises:
        DataError: ``delivery`` is no delivery of the format.
    """
    if not delivery.is_dir():
        return Returned()
    untouched = [
        path for path in handed_out.files if delivery == folder / run_dir.TO_LABEL and _is_same(path, handed_out)
    ]
    found = read_delivery(
        delivery, format_name, ids, store.classes, _options(delivery, format_name), untouched=untouched
    )
    record = folder / run_dir.DELIVERED
    before = read_json(record) if record.is_file() else {}
    digests = {frame_id: hashlib.sha256(format_boxes(of).encode()).hexdigest() for frame_id, of in found.labels.items()}
    known = {frame_id for frame_id, digest in digests.items() if before.get(frame_id) == digest}
    fresh = {i: of for i, of in found.labels.items() if i not in known or not store.is_stored(i)}
    store_labels(store.folder, fresh)
    if fresh:
        write_json(record, {**before, **digests})
    return Returned(list(fresh), found.problems, found.unknown, found.notes)


def _options(delivery: Path, format_name: str) -> dict[str, str]:
    """The variant of labelCloud that was handed out, where the delivery comes without the file that names it."""
    told = format_name != LabelCloud.name or (delivery / "labels" / CLASSES_NAME).exists()
    return {} if told else {"variant": "centroid_rel"}


def _is_same(path: Path, handed_out: HandedOut) -> bool:
    """Whether a label file is still the one that was handed out."""
    try:
        return file_digest(path) == handed_out.files[path]
    except DataError:  # it was removed
        return False
