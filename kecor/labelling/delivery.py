"""Reading what annotators sent back, frame by frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kecor.errors import ConfigError, DataError
from kecor.frame_ids import check_frame_id
from kecor.labelling.base import Entry, Format, LabelledBoxes, Labels
from kecor.labelling.classes import ClassNames
from kecor.labelling.formats import FORMATS
from kecor.labelling.frame_ids import CLASSES_NAME, IDS_NAME, FrameNames, read_ids
from kecor.labelling.reading import read_text

FAR = 300.0
"""Metres from the sensor beyond which a box is noted: it may lie in another frame."""


@dataclass
class Delivery:
    """What came back.

    Attributes:
        labels: the frames that can be used. A frame without boxes was labelled as empty.
        missing: ids asked for that the delivery does not hold, in their order.
        unknown: names in the delivery that are none of the ids asked for.
        problems: frame -> why its labels cannot be used. Such a frame is neither in ``labels`` nor ``missing``.
        notes: what was odd and could be used.
    """

    labels: Labels = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find_format(name: str) -> Format:
    """The format of a name.

    Raises:
        ConfigError: there is none; names those there are.
    """
    if name not in FORMATS:
        raise ConfigError(f"annotation format {name!r} is unknown; use one of {', '.join(FORMATS)}")
    return FORMATS[name]


def read_delivery(
    folder: str | Path,
    format_name: str,
    ids: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    options: Mapping[str, str] | None = None,
    rename: Mapping[str, str] | None = None,
    untouched: Collection[Path] = (),
) -> Delivery:
    """Read the frames of a delivery. One faulty frame does not hide the others.

    Args:
        folder: what the tool exported, unpacked.
        format_name: a key of :data:`kecor.labelling.formats.FORMATS`.
        ids: the frames asked for; by default those of ``ids.txt`` in ``folder``, or any if there is no such file.
        classes: the class names that are allowed; by default those of ``classes.txt`` in ``folder``, or any.
        options: of the format, such as ``variant``.
        rename: class name in the delivery -> name to use instead.
        untouched: label files that are still as they were handed out; their frames count as missing.

    Raises:
        ConfigError: an unknown format or option, or one that the format needs.
        DataError: the folder is no delivery of the format, or a file with several frames cannot be read.
    """
    folder, format_, options = Path(folder), find_format(format_name), options or {}
    for name in options:
        if name not in format_.options:
            raise ConfigError(f"option {name}: format {format_name} has none of this name; leave it out")
    if ids is None and (folder / IDS_NAME).exists():
        ids = read_ids(folder / IDS_NAME)
    if classes is None and (folder / CLASSES_NAME).exists():
        classes = [line.strip() for line in read_text(folder / CLASSES_NAME).splitlines() if line.strip()]
    for frame_id in ids or ():
        check_frame_id(frame_id, "frame ids")
    delivery = Delivery()
    entries = [entry for entry in format_.entries(folder, options) if not _lies_in(entry, untouched)]
    found = _by_frame(entries, ids, delivery)
    class_names = ClassNames(classes, rename or {})
    for frame_id, entries in found.items():
        try:
            labels = _read(frame_id, entries, class_names)
        except DataError as error:
            delivery.problems[frame_id] = str(error)
            continue
        delivery.labels[frame_id] = labels
        delivery.notes += labels.notes
    delivery.missing = [frame_id for frame_id in ids or () if frame_id not in found]
    return delivery


def _lies_in(entry: Entry, files: Collection[Path]) -> bool:
    """Whether one of ``files`` holds an entry."""
    return any(entry.source == str(path) or entry.source.startswith(f"{path}: ") for path in files)


def _by_frame(entries: Sequence[Entry], ids: Sequence[str] | None, delivery: Delivery) -> dict[str, list[Entry]]:
    """Frame id -> its entries; what fits no frame is put down in ``delivery``."""
    names = FrameNames(ids, several_groups=len({entry.group for entry in entries}) > 1)
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        try:
            frame_id = names.find(entry)
        except DataError as error:
            delivery.problems[entry.name] = str(error)
            continue
        if frame_id is None:
            delivery.unknown.append(entry.name)
        else:
            found.setdefault(frame_id, []).append(entry)
    return found


def _read(frame_id: str, entries: Sequence[Entry], class_names: ClassNames) -> LabelledBoxes:
    """The boxes of a frame, which must have one entry."""
    if len(entries) > 1:
        sources = ", ".join(entry.source for entry in entries)
        raise DataError(f"frame {frame_id}: has {len(entries)} labels ({sources}); keep one")
    labels = class_names.apply(entries[0].read(), entries[0].source)
    distance = np.hypot(labels.boxes[:, 0], labels.boxes[:, 1]).max(initial=0)
    if distance > FAR:
        note = f"{entries[0].source}: a box lies {distance:.0f} m from the sensor; are these world coordinates?"
        labels.notes.append(note)
    return labels
