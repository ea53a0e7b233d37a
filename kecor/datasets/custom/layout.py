"""Which frames a folder of own sweeps holds, and which of them a split names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kecor.errors import DataError
from kecor.files import read_lines

SUFFIXES = (".bin", ".npy", ".pcd", ".ply", ".las", ".laz")
POOL = "unlabelled"
"""Name of the optional list of frames that wait for labels."""


def find_clouds(root: Path) -> dict[str, Path]:
    """Frame id -> cloud file of every sweep below ``root/points``, sorted by id; ids may hold one folder.

    Raises:
        DataError: the folder is missing or holds no cloud, or one frame has two.
    """
    folder = root / "points"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; put one cloud a sweep there: ID with {', '.join(SUFFIXES)}")
    clouds: dict[str, Path] = {}
    for path in sorted([*folder.iterdir(), *(p for sub in folder.iterdir() if sub.is_dir() for p in sub.iterdir())]):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or path.is_dir():
            continue
        frame_id = path.relative_to(folder).with_suffix("").as_posix()
        if frame_id in clouds:
            raise DataError(f"frame {frame_id}: has two clouds, {clouds[frame_id]} and {path}; remove one")
        clouds[frame_id] = path
    if not clouds:
        raise DataError(f"{folder}: holds no cloud; files ending in {', '.join(SUFFIXES)} are read")
    return dict(sorted(clouds.items()))


def check_id(frame_id: str, where: str) -> str:
    """``frame_id``, if it is a name with at most one folder in front, such as ``scene_1/000003``.

    Raises:
        DataError: it would lead out of the data set's folders; ``where`` says who named it.
    """
    parts = frame_id.split("/")
    fine = len(parts) <= 2 and all(part and part.strip(".") and part == part.strip() for part in parts)
    if not fine or any(c in frame_id for c in "\\\0\n\r"):
        raise DataError(f"{where}: {frame_id!r} is no frame id: a name, or one folder and a name, is expected")
    return frame_id


def read_lists(root: Path) -> dict[str, list[str]]:
    """Name -> frame ids of every list in ``root/ImageSets``, one id a line; empty without that folder.

    Raises:
        DataError: a list is unreadable, names a frame twice, or holds something that is no id.
    """
    lists = {}
    for path in sorted((root / "ImageSets").glob("*.txt")):
        ids = [check_id(line, f"{path}:{number}") for number, line in read_lines(path)]
        twice = [frame_id for frame_id, count in Counter(ids).items() if count > 1]
        if twice:
            raise DataError(f"{path}: frame {twice[0]} is listed more than once")
        lists[path.stem] = ids
    return lists


def split_ids(root: Path, split: str, clouds: dict[str, Path]) -> list[str]:
    """The frames of a split.

    ``train`` holds the frames of ``train.txt``, then the pool: the frames of ``unlabelled.txt`` or, without that list,
    every frame that is in no list. Without ``train.txt`` it holds every frame that is in no other list. Which frames
    have labels does not matter, so that the split stays the same while labels arrive. Any other split is its list.

    Raises:
        DataError: the split has no list and is not ``train``, a list is faulty, or a frame has no cloud.
    """
    lists = read_lists(root)
    if split == "train":
        pool = lists.pop(POOL, None)
        if pool is None:
            listed = {frame_id for ids in lists.values() for frame_id in ids}
            pool = [frame_id for frame_id in clouds if frame_id not in listed]
        ids = list(dict.fromkeys([*lists.get("train", []), *pool]))
    elif split in lists:
        ids = lists[split]
    else:
        there = ", ".join(sorted(lists)) or "none"
        path = root / "ImageSets" / f"{split}.txt"
        raise DataError(f"{path}: no such list (there are: {there}); write the ids of that split, one a line")
    missing = [frame_id for frame_id in ids if frame_id not in clouds]
    if missing:
        raise DataError(
            f"split {split} of {root}: frame {missing[0]} has no cloud {root / 'points' / missing[0]}"
            f"{{{','.join(SUFFIXES)}}} ({len(missing)} missing); ids are written without an ending"
        )
    return ids
