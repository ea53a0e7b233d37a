"""The index ``tools/create_data.py kitti`` writes: which frames a data set leaves out and which faults it mends."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kecor.errors import DataError
from kecor.files import read_json

INDEX_NAME = "kecor_index.json"
VERSION = 1

EXCLUDED = "frame excluded"
LABELS_FAULTY = "not labelled until it is corrected"
POINTS_DROPPED = "points dropped"
OBJECTS_DROPPED = "objects dropped"


@dataclass(frozen=True)
class KittiIndex:
    """What was decided about faulty frames. Without an index every fault is an error.

    Attributes:
        excluded: frames that cannot be read.
        labels_faulty: frames whose labels cannot be read: they can be selected for labelling, but not trained on.
        points_dropped: frames whose points that are not finite are dropped.
        objects_dropped: frames whose objects without a size are dropped.
    """

    excluded: frozenset[str] = field(default_factory=frozenset)
    labels_faulty: frozenset[str] = field(default_factory=frozenset)
    points_dropped: frozenset[str] = field(default_factory=frozenset)
    objects_dropped: frozenset[str] = field(default_factory=frozenset)


def read_index(root: str | Path) -> KittiIndex:
    """The decisions of ``root/kecor_index.json``; none where there is no such file.

    Raises:
        DataError: the file is no index of this version.
    """
    path = Path(root) / INDEX_NAME
    if not path.exists():
        return KittiIndex()
    values = read_json(path)
    if not isinstance(values, dict) or values.get("version") != VERSION or not isinstance(values.get("frames"), dict):
        raise DataError(f"{path}: no index of version {VERSION}; write it anew with {command(root)}")

    def frames(action: str) -> frozenset[str]:
        return frozenset(i for i, frame in values["frames"].items() if action in frame["actions"])

    for frame_id, frame in values["frames"].items():
        if not isinstance(frame, dict) or not isinstance(frame.get("actions"), list):
            raise DataError(f"{path}: frame {frame_id}: has no list of actions; write it again with {command(root)}")
    return KittiIndex(*map(frames, (EXCLUDED, LABELS_FAULTY, POINTS_DROPPED, OBJECTS_DROPPED)))


def command(root: str | Path) -> str:
    """The command that checks a data set and writes its index, for messages."""
    return f"`python tools/create_data.py kitti --root {root}`"
