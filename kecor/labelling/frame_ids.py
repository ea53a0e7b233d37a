"""Frame ids, their names in flat folders, and which frame a name in a delivery means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from kecor.errors import DataError
from kecor.frame_ids import check_frame_id
from kecor.labelling.base import Entry
from kecor.labelling.reading import read_text

IDS_NAME = "ids.txt"
"""The exported frame ids, one a line, in order."""
CLASSES_NAME = "classes.txt"
"""The class names annotators may use, one a line."""
CLOUD_ENDINGS = re.compile(r"\.(pcd|bin|npy|ply|las|laz|pts|xyz)$", re.IGNORECASE)


def flat_name(frame_id: str) -> str:
    """The name of a frame in tools that know no folders: ``scene_1/000003`` becomes ``scene_1__000003``."""
    return frame_id.replace("/", "__")


def flat_names(ids: Iterable[str]) -> dict[str, str]:
    """Flat name -> frame id, in order.

    Raises:
        DataError: an id is invalid or repeated, or two ids have one flat name.
    """
    names: dict[str, str] = {}
    for frame_id in ids:
        name = flat_name(check_frame_id(frame_id, "frame ids"))
        if name in names:
            raise DataError(f"frame ids: {names[name]!r} and {frame_id!r} would both be called {name!r}; rename one")
        names[name] = frame_id
    return names


def read_ids(path: str | Path) -> list[str]:
    """The frame ids in a text file, one a line; empty lines are skipped.

    Raises:
        DataError: the file cannot be read, holds no id, or an id is invalid or repeated; names the line.
    """
    ids: dict[str, int] = {}
    for number, line in enumerate(read_text(Path(path)).splitlines(), 1):
        if not line.strip():
            continue
        frame_id = check_frame_id(line.strip(), f"{path}:{number}")
        if frame_id in ids:
            raise DataError(f"{path}:{number}: {frame_id!r} stands in line {ids[frame_id]} already; delete one")
        ids[frame_id] = number
    if not ids:
        raise DataError(f"{path}: holds no frame id; write one a line")
    return list(ids)


class FrameNames:
    """Finds the frame that a name in a delivery means.

    With ``ids``, a name means the id that equals it, that equals it with its group (``scene_1/000003``), that equals
    it without the ending of a cloud, or whose flat name it is. Without, the name is the id; the group goes before it
    where ``several_groups``.
    """

    def __init__(self, ids: Sequence[str] | None, several_groups: bool) -> None:
        self._known = ids is not None
        self._several_groups = several_groups
        self._ids: dict[str, str | None] = {}
        for frame_id in ids or ():
            for name in {_bare(frame_id), flat_name(_bare(frame_id)), flat_name(frame_id)} - {frame_id}:
                self._ids[name] = frame_id if self._ids.get(name, frame_id) == frame_id else None
        self._ids.update({frame_id: frame_id for frame_id in ids or ()})

    def find(self, entry: Entry) -> str | None:
        """The id of an entry's frame, or None where no id fits.

        Raises:
            DataError: without ids, the name is no valid frame id.
        """
        grouped = f"{entry.group}/{entry.name}" if entry.group else entry.name
        if self._known:
            names = (grouped, _bare(grouped), entry.name, _bare(entry.name))
            return next((found for name in names if (found := self._ids.get(name))), None)
        return check_frame_id(_bare(grouped if self._several_groups else entry.name), entry.source)


def _bare(name: str) -> str:
    return CLOUD_ENDINGS.sub("", name)
