"""Check every file of a data set in the KITTI object layout, and decide what to do about the faulty ones.

The rule: a frame whose cloud or calibration cannot be read leaves the set; one whose labels cannot be read stays as a
frame without labels; points that are not finite and objects without a size are dropped from a frame that is kept.
:class:`~kecor.datasets.kitti.dataset.KittiDataset` follows what the index says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from kecor.datasets.kitti.calibration import read_calibration
from kecor.datasets.kitti.files import check_columns, not_finite, read_points, read_split, split_names
from kecor.datasets.kitti.images import ImageSizes
from kecor.datasets.kitti.index import EXCLUDED, LABELS_FAULTY, OBJECTS_DROPPED, POINTS_DROPPED, VERSION
from kecor.datasets.kitti.labels import DONT_CARE, read_objects, without_size
from kecor.errors import DataError
from kecor.tables import format_table

Fault = tuple[str, str]
NOT_MENDED = "not mended: edit the list"


def check_dataset(root: str | Path, progress: bool = True) -> dict[str, Any]:
    """The index of a data set: JSON values, ``{"version", "splits", "frames", "problems"}``.

    ``splits``: name -> ids without repeats. ``frames``: id -> ``points``, ``boxes`` (class -> count), ``image_size``
    and ``actions``. ``problems``: in the order found, each with ``frame``, ``problem`` (names the file) and ``action``.
    The list ``test.txt`` names frames of the unlabelled folder ``testing`` and is not checked. A frame without a label
    file is not faulty: it can be selected and labelled later.

    Raises:
        DataError: the folder or its split lists are missing.
    """
    root = Path(root)
    names = [name for name in split_names(root) if name != "test"]
    if not names:
        raise DataError(
            f"{root}: no split list in {root / 'ImageSets'}; data/README.md says how data sets are laid out"
        )
    splits, problems = {}, []
    for name in names:
        listed = read_split(root, name)
        splits[name] = list(dict.fromkeys(listed))
        for frame_id, count in Counter(listed).items():
            if count > 1:
                what = f"{root / 'ImageSets' / name}.txt: {frame_id} is listed {count} times"
                problems.append({"frame": frame_id, "problem": what, "action": NOT_MENDED})
    clouds = (path.stem for path in (root / "training" / "velodyne").glob("*.bin"))
    ids = sorted({*clouds, *(frame_id for listed in splits.values() for frame_id in listed)})
    sizes = ImageSizes(root)
    frames = {}
    for frame_id in tqdm(ids, desc="check", unit="frame", disable=not progress):
        frames[frame_id], faults = check_frame(root, frame_id, sizes)
        problems += [{"frame": frame_id, "problem": problem, "action": action} for problem, action in faults]
    return {"version": VERSION, "splits": splits, "frames": frames, "problems": problems}


def check_frame(root: Path, frame_id: str, sizes: ImageSizes) -> tuple[dict[str, Any], list[Fault]]:
    """The index entry of one frame, and its faults: pairs of what is wrong, naming the file, and what is done."""
    folder = root / "training"
    entry = {"points": 0, "boxes": {}, "image_size": None, "actions": [EXCLUDED]}
    kinds = {"velodyne": "bin", "calib": "txt", "label_2": "txt"}
    if not any((folder / kind / f"{frame_id}.{suffix}").exists() for kind, suffix in kinds.items()):
        return entry, [(f"{frame_id}: is in a split list but has no file in {folder}", EXCLUDED)]
    steps: list[Callable[[], tuple[dict[str, Any], list[Fault]]]] = [
        lambda: _check_cloud(folder / "velodyne" / f"{frame_id}.bin"),
        lambda: _check_calibration(folder / "calib" / f"{frame_id}.txt"),
        lambda: ({"image_size": list(sizes(frame_id))}, []),
    ]
    if (folder / "label_2" / f"{frame_id}.txt").exists():
        steps.append(lambda: _check_label(folder / "label_2" / f"{frame_id}.txt"))
    faults = []
    for step in steps:
        try:
            facts, found = step()
        except DataError as error:
            facts, found = {}, [(str(error), EXCLUDED)]
        entry |= facts
        faults += found
    entry["actions"] = sorted({action for _, action in faults})
    return entry, faults


def _check_cloud(path: Path) -> tuple[dict[str, Any], list[Fault]]:
    points = read_points(path)
    check_columns(path)
    bad = int(not_finite(points).sum())
    if bad == len(points):
        raise DataError(f"{path}: none of its {bad} points is finite")
    faults = [(f"{path}: {bad} of {len(points)} points are not finite", POINTS_DROPPED)] if bad else []
    return {"points": len(points) - bad}, faults


def _check_calibration(path: Path) -> tuple[dict[str, Any], list[Fault]]:
    read_calibration(path)
    return {}, []


def _check_label(path: Path) -> tuple[dict[str, Any], list[Fault]]:
    try:
        objects = read_objects(path)
    except DataError as error:
        return {}, [(str(error), LABELS_FAULTY)]
    bad = without_size(objects)
    faults = [
        (f"{path}: object {row + 1} ({objects.names[row]}) has no size", OBJECTS_DROPPED) for row in np.flatnonzero(bad)
    ]
    counts = Counter(name for name in objects.names[~bad].tolist() if name != DONT_CARE)
    return {"boxes": dict(sorted(counts.items()))}, faults


def usable(index: dict[str, Any], split: str | None = None) -> list[str]:
    """The ids of a split, or of the whole set, that are not excluded."""
    ids = index["frames"] if split is None else index["splits"][split]
    return [frame_id for frame_id in ids if EXCLUDED not in index["frames"][frame_id]["actions"]]


def summary(index: dict[str, Any]) -> str:
    """A table of an index: one line a split, with its frames, mean points a frame, and boxes of each class."""
    totals: Counter[str] = Counter()
    for entry in index["frames"].values():
        totals.update(entry["boxes"])
    classes = [name for name, _ in totals.most_common()]
    rows = []
    for split, listed in index["splits"].items():
        entries = [index["frames"][frame_id] for frame_id in usable(index, split)]
        points = round(sum(e["points"] for e in entries) / len(entries)) if entries else None
        boxes = [sum(e["boxes"].get(name, 0) for e in entries) for name in classes]
        rows.append([split, len(listed), len(entries), points, *boxes])
    return format_table(["split", "frames", "usable", "points/frame", *classes], rows)
