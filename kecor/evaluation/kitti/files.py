"""Folders of KITTI label and result files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kecor.datasets.kitti.files import read_ids as listed_ids
from kecor.datasets.kitti.labels import KittiObjects, read_objects
from kecor.errors import DataError
from kecor.frame_ids import ids_in

NOTHING = KittiObjects.from_rows([], np.zeros((0, 15)))
"""The detections of a frame in which there are none."""


def read_folders(
    gt_dir: Path, det_dir: Path, ids: list[str] | None = None, progress: bool = False
) -> tuple[list[KittiObjects], list[KittiObjects]]:
    """Ground truth and detections of the same frames.

    Args:
        gt_dir: holds a label file ``<id>.txt`` for each frame.
        det_dir: holds a result file ``<id>.txt`` for each frame, empty where nothing was detected. A frame without one
            counts as empty, with a warning that says how many there are.
        ids: the frames to read; by default every frame that has a label or result file.
        progress: show a progress bar.

    Raises:
        DataError: a folder or a label file is missing, a file is malformed (names the line), or no frame has a result.
    """
    gt_dir, det_dir = Path(gt_dir), Path(det_dir)
    for folder in (gt_dir, det_dir):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder")
    labelled, measured = ids_in(gt_dir), ids_in(det_dir)
    ids = sorted(labelled | measured) if ids is None else ids
    if not measured.intersection(ids):
        raise DataError(f"{det_dir}: holds no result file (<frame id>.txt) of the {len(ids)} frames")
    missing = [i for i in ids if i not in labelled]
    if missing:
        raise DataError(f"frame {missing[0]}: no label file {gt_dir / missing[0]}.txt ({len(missing)} missing)")
    _warn_of_empty(det_dir, [i for i in ids if i not in measured], len(ids))
    gt, det = [], []
    for frame_id in tqdm(ids, desc="read", unit="frame", disable=not progress):
        gt.append(read_objects(gt_dir / f"{frame_id}.txt"))
        found = frame_id in measured
        det.append(read_objects(det_dir / f"{frame_id}.txt", scored=True) if found else NOTHING)
    return gt, det


def _warn_of_empty(det_dir: Path, missing: list[str], frames: int) -> None:
    if missing:
        warnings.warn(
            f"{det_dir}: {len(missing)} of {frames} frames have no result file and count as empty, as if nothing had "
            f"been detected; the first is {missing[0]}",
            stacklevel=3,
        )


def read_ids(path: Path) -> list[str]:
    """The frame ids of a file, each listed once.

    Raises:
        DataError: the file is missing or unreadable, holds no id, one id twice, or what is no frame id.
    """
    ids = listed_ids(path)
    if not ids:
        raise DataError(f"{path}: holds no frame id")
    if len(set(ids)) < len(ids):
        twice = next(i for n, i in enumerate(ids) if i in ids[:n])
        raise DataError(f"{path}: {twice} stands more than once")
    return ids
