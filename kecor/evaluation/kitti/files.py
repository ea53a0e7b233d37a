"""Folders of KITTI label and result files."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from kecor.datasets.kitti.labels import KittiObjects, read_objects
from kecor.errors import DataError


def read_folders(
    gt_dir: Path, det_dir: Path, ids: list[str] | None = None, progress: bool = False
) -> tuple[list[KittiObjects], list[KittiObjects]]:
    """Ground truth and detections of the same frames.

    Args:
        gt_dir: holds a label file ``<id>.txt`` for each frame.
        det_dir: holds a result file ``<id>.txt`` for each frame, empty where nothing was detected.
        ids: the frames to read; by default every frame that has a result file.
        progress: show a progress bar.

    Raises:
        DataError: a folder or a file is missing, a file is malformed (names the line), or there is no frame.
    """
    gt_dir, det_dir = Path(gt_dir), Path(det_dir)
    for folder in (gt_dir, det_dir):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder")
    if ids is None:
        ids = sorted(path.stem for path in det_dir.glob("*.txt"))
        if not ids:
            raise DataError(f"{det_dir}: holds no result file (<frame id>.txt)")
    for folder, kind in ((det_dir, "result"), (gt_dir, "label")):
        missing = [i for i in ids if not (folder / f"{i}.txt").is_file()]
        if missing:
            raise DataError(f"frame {missing[0]}: no {kind} file {folder / missing[0]}.txt ({len(missing)} missing)")
    gt, det = [], []
    for frame_id in tqdm(ids, desc="read", unit="frame", disable=not progress):
        gt.append(read_objects(gt_dir / f"{frame_id}.txt"))
        det.append(read_objects(det_dir / f"{frame_id}.txt", scored=True))
    return gt, det


def read_ids(path: Path) -> list[str]:
    """The frame ids of a file, one a line.

    Raises:
        DataError: the file is missing or unreadable, holds no id, or one id twice.
    """
    try:
        ids = Path(path).read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not ids:
        raise DataError(f"{path}: holds no frame id")
    if len(set(ids)) < len(ids):
        twice = next(i for n, i in enumerate(ids) if i in ids[:n])
        raise DataError(f"{path}: {twice} stands more than once")
    return ids
