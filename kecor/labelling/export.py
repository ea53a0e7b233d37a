"""Handing frames to annotators: clouds, pre-labels, class list, ids and a README, all or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kecor.errors import ConfigError, DataError
from kecor.files import write_text
from kecor.labelling.base import LabelledBoxes, Labels
from kecor.labelling.formats import EXPORT_FORMATS
from kecor.labelling.frame_ids import CLASSES_NAME, IDS_NAME, flat_name, flat_names
from kecor.labelling.pcd import write_pcd
from kecor.structures import Frame

README = """{frames} frames to label, {boxes} boxes drawn beforehand by a detector. Correct these,
delete the wrong ones and draw the objects that have none.

Classes: {classes}
Boxes: centre, length along the object, width and height in metres; the heading points to the object's front.
The order of the frames, most wanted first, is that of ids.txt. The format is {format}.

{instructions}
"""


@dataclass(frozen=True)
class Exported:
    """What was written: numbers of frames, of boxes drawn beforehand, and of points left out as not finite."""

    frames: int
    boxes: int
    dropped_points: int


def export_frames(
    folder: str | Path,
    format_name: str,
    frames: Iterable[Frame],
    prelabels: Labels,
    classes: Sequence[str],
    options: Mapping[str, str] | None = None,
    intensity: bool = True,
) -> Exported:
    """Write what annotators get into ``folder``, which must be new or empty.

    Everything is written beside ``folder`` first and moved there at the end, so an interrupted export leaves nothing
    that could be taken for a whole one.

    Args:
        folder: where to.
        format_name: a key of :data:`kecor.labelling.formats.EXPORT_FORMATS`.
        frames: the frames, most wanted first; one is in memory at a time. Their own labels are not written.
        prelabels: frame id -> boxes to start from; frames without are handed out bare.
        classes: the class names annotators may use, in the order of the list they see.
        options: of the format, such as ``variant``.
        intensity: write the intensity of points; see :func:`kecor.labelling.pcd.write_pcd`.

    Raises:
        ConfigError: an unknown format, or no classes.
        DataError: the folder is in use, a frame id is invalid or repeated, a pre-label has a class that is not among
            ``classes`` or belongs to no frame.
    """
    folder = Path(folder)
    if format_name not in EXPORT_FORMATS:
        raise ConfigError(f"work cannot be exported as {format_name!r}; use one of {', '.join(EXPORT_FORMATS)}")
    _check_classes(classes, prelabels)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: is in use; annotators may work there: name a new or an empty folder")
    unfinished = folder.absolute().with_name(f".{folder.absolute().name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        exported = _write(unfinished, format_name, frames, prelabels, classes, options or {}, intensity)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return exported


def _check_classes(classes: Sequence[str], prelabels: Labels) -> None:
    if not classes or len(set(classes)) < len(classes) or not all(name.strip() == name != "" for name in classes):
        raise ConfigError(f"classes {list(classes)}: name at least one, each once")
    for frame_id, labels in prelabels.items():
        for name in labels.names:
            if name not in classes:
                raise DataError(
                    f"pre-labels of frame {frame_id}: class {str(name)!r} is not one of {', '.join(classes)}"
                )


def _write(
    folder: Path,
    format_name: str,
    frames: Iterable[Frame],
    prelabels: Labels,
    classes: Sequence[str],
    options: Mapping[str, str],
    intensity: bool,
) -> Exported:
    format_ = EXPORT_FORMATS[format_name]
    ids, dropped = [], 0
    for frame in frames:
        ids.append(frame.frame_id)
        flat_names(ids[-1:])  # valid before it becomes a path
        dropped += write_pcd(folder / format_.clouds / f"{flat_name(ids[-1])}.pcd", frame.points, intensity)
    labels = {name: prelabels.get(frame_id, LabelledBoxes()) for name, frame_id in flat_names(ids).items()}
    stray = sorted(set(prelabels) - set(ids))
    if stray or not ids:
        raise DataError(f"pre-labels: frame {stray[0]} is not exported" if stray else "no frames to export")
    format_.write(folder, labels, classes, options)
    boxes = sum(map(len, labels.values()))
    write_text(folder / CLASSES_NAME, "".join(f"{name}\n" for name in classes))
    facts = {"frames": len(ids), "boxes": boxes, "classes": ", ".join(classes), "format": format_name}
    write_text(folder / "README.txt", README.format(**facts, instructions=format_.instructions))
    write_text(folder / IDS_NAME, "".join(f"{frame_id}\n" for frame_id in ids))
    return Exported(len(ids), boxes, dropped)
