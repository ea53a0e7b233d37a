"""Which segments belong to which split: in the files as published, and in a converted data set."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from kecor.datasets.waymo.openpcdet import PROCESSED, OpenPcdetStore
from kecor.datasets.waymo.raw import segment_name
from kecor.datasets.waymo.segments import SEGMENTS, SegmentStore, frame_id, split_id
from kecor.errors import DataError
from kecor.files import read_text

SPLITS = {"training": "train", "validation": "val", "testing": "test"}
"""Folder of the published data -> name of the split."""


class Source(NamedTuple):
    """A segment to convert: its file (v1), or its file of the component ``lidar`` (v2), and its split."""

    path: Path
    split: str

    @property
    def name(self) -> str:
        """The segment's context name, from the name of the file."""
        return segment_name(self.path.name)


def find_sources(raw: str | Path, lists: str | Path | None = None) -> list[Source]:
    """The segments in ``raw``, v1 or v2.

    The folders ``training``, ``validation`` and ``testing`` are the splits train, val and test; files that lie in
    ``raw`` itself are train. With ``lists``, a folder of ``{train,val,test}.txt`` that name segments, these decide
    instead, and a segment that none of them names is left out.

    Raises:
        DataError: there is no such folder, no segment in it, or a segment is there twice.
    """
    raw = Path(raw)
    if not raw.is_dir():
        raise DataError(f"{raw}: no such folder")
    found: dict[str, Source] = {}
    for folder, split in [*((raw / name, split) for name, split in SPLITS.items()), (raw, "train")]:
        for path in sorted([*folder.glob("*.tfrecord"), *folder.glob("lidar/*.parquet")]):
            source = Source(path, split)
            if source.name in found:
                raise DataError(f"{path}: segment {source.name} is also in {found[source.name].path}; keep one")
            found[source.name] = source
    if lists is not None:
        split_of = {name: split for split in SPLITS.values() for name in read_list(Path(lists) / f"{split}.txt")}
        found = {name: Source(found[name].path, split_of[name]) for name in found if name in split_of}
    if not found:
        raise DataError(f"{raw}: no segment here; expected {', '.join(SPLITS)} with *.tfrecord or lidar/*.parquet")
    return list(found.values())


def read_list(path: Path) -> list[str]:
    """The segments a list names, in any spelling, as context names; none if there is no such file."""
    return [segment_name(line) for line in read_text(path).split()] if path.exists() else []


class Store(Protocol):
    """Where frames are read from, in either layout: see :class:`~kecor.datasets.waymo.segments.SegmentStore`."""

    folders: dict[str, Path]

    def numbers(self, segment: str) -> list[int]: ...
    def points(self, segment: str, number: int) -> np.ndarray: ...
    def is_labelled(self, segment: str, number: int) -> bool: ...
    def labels(self, segment: str, number: int) -> np.ndarray: ...
    def timestamp(self, segment: str, number: int) -> int | None: ...
    def pose(self, segment: str, number: int) -> np.ndarray | None: ...
    def zones(self, segment: str, number: int) -> list[np.ndarray]: ...


def open_store(root: Path) -> Store:
    """The frames of ``root``, in whichever layout they are.

    Raises:
        DataError: there are none.
    """
    if (root / SEGMENTS).is_dir():
        return SegmentStore(root)
    if any(root.glob(f"{PROCESSED}*")):
        return OpenPcdetStore(root)
    raise DataError(
        f"{root}: holds neither {SEGMENTS} nor {PROCESSED}*; "
        f"run `python tools/create_data.py waymo --raw DIR --out {root}`"
    )


def listed_frames(root: Path, split: str, store: Store) -> list[str]:
    """The frame ids of ``root/ImageSets/SPLIT.txt``. Segments that are not there are left out, with a warning.

    Raises:
        DataError: there is no such list, or nothing in it is there.
    """
    path = root / "ImageSets" / f"{split}.txt"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt"))) or "none"
        raise DataError(f"{path}: no such split list; there are: {there}")
    ids: dict[str, None] = {}
    missing = []
    for line in read_text(path).split():
        segment, _, number = line.partition("/")
        segment = segment_name(segment)
        if segment not in store.folders:
            missing.append(line)
        elif number:
            ids[frame_id(*split_id(f"{segment}/{number}"))] = None
        else:
            ids.update(dict.fromkeys(frame_id(segment, k) for k in store.numbers(segment)))
    if not ids:
        raise DataError(f"{path}: no frame it names is in {root}; it begins with {missing[:1] or 'nothing'}")
    if missing:
        warnings.warn(f"{path}: left out {len(missing)} lines that name a segment that is not there", stacklevel=4)
    return list(ids)
