"""Handing frames to annotators: an export in the round's folder and a record of what it held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kecor import run_dir
from kecor.active.state import NEW_RUN
from kecor.errors import DataError, StateError
from kecor.files import file_digest, write_json
from kecor.labelling.base import Labels
from kecor.labelling.export import export_frames
from kecor.labelling.formats import EXPORT_FORMATS
from kecor.labelling.prelabels import as_json, parse_boxes
from kecor.labelling.reading import read_json_value
from kecor.structures import Frame


@dataclass(frozen=True)
class HandedOut:
    """What was handed out.

    Attributes:
        ids: the frames, in pick order.
        prelabels: the boxes that annotators began with.
        files: label files of the export -> their SHA-256.
    """

    ids: list[str]
    prelabels: Labels
    files: dict[Path, str]


def hand_out(
    folder: Path,
    format_name: str,
    ids: Sequence[str],
    read: Callable[[str], Frame],
    prelabels: Labels,
    classes: Sequence[str],
) -> None:
    """Export frames to ``folder/to_label`` and record this; what a killed run has done already is kept.

    Args:
        folder: of the round.
        format_name: a key of :data:`kecor.labelling.formats.EXPORT_FORMATS`.
        ids: the frames, in pick order.
        read: reads a frame without labels.
        prelabels: frame id -> boxes to start from.
        classes: class names that annotators may use.
    """
    work = folder / run_dir.TO_LABEL
    if not work.is_dir():
        export_frames(work, format_name, map(read, ids), prelabels, classes)
    clouds = work / EXPORT_FORMATS[format_name].clouds
    paths = [path for path in sorted(work.rglob("*")) if path.is_file() and clouds not in path.parents]
    files = {path.relative_to(work).as_posix(): file_digest(path) for path in paths}
    write_json(folder / run_dir.HANDED_OUT, {"ids": list(ids), "files": files, "prelabels": as_json(prelabels)})


def is_handed_out(folder: Path) -> bool:
    """Whether the frames of the round in ``folder`` were handed out."""
    return (folder / run_dir.HANDED_OUT).is_file()


def read_handed_out(folder: Path) -> HandedOut:
    """The record of what was handed out.

    Raises:
        StateError: it is missing or damaged.
    """
    path, work = folder / run_dir.HANDED_OUT, folder / run_dir.TO_LABEL
    try:
        record = read_json_value(path)
        ids = [item.text() for item in record["ids"].items()]
        files = {work / name: record["files"][name].text() for name in record["files"].fields()}
        return HandedOut(ids, parse_boxes(record["prelabels"]), files)
    except DataError as error:
        raise StateError(f"{error}; restore it, {NEW_RUN}") from error
