"""Whether KITTI label files were written in the camera frame, as the format asks, or in the LiDAR frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor.datasets.kitti.calibration import read_calibration
from kecor.datasets.kitti.files import not_finite, read_points
from kecor.datasets.kitti.labels import DONT_CARE, KittiObjects, read_objects, without_size
from kecor.ops import count_points_in_boxes

FRAMES = 20
"""Labelled frames that are looked at."""
MIN_BOXES = 20
"""Boxes below which nothing is concluded."""
MOSTLY_EMPTY = 0.8
"""Share of boxes without a point from which a warning is given. Of KITTI's own boxes 4 % hold none."""


def box_frame_warning(root: Path, ids: Sequence[str]) -> str | None:
    """A warning when most boxes of labelled frames hold no point; it names the reading that would fill them.

    Args:
        root: the data set.
        ids: readable frames; those without a label file are skipped.

    Raises:
        DataError: a file of a frame cannot be read.
    """
    folder = root / "training"
    labelled = [frame_id for frame_id in ids if (folder / "label_2" / f"{frame_id}.txt").is_file()]
    chosen = [labelled[i] for i in np.unique(np.linspace(0, len(labelled) - 1, FRAMES).astype(int))] if labelled else []
    counts = [_points_held(folder, frame_id) for frame_id in chosen]
    camera, lidar = (np.concatenate(part) for part in zip(*counts)) if counts else (np.zeros(0), np.zeros(0))
    if len(camera) < MIN_BOXES or (empty := float((camera == 0).mean())) < MOSTLY_EMPTY:
        return None
    advice = "check calib and label_2"
    if (lidar > 0).mean() > 1 - MOSTLY_EMPTY:
        advice = (
            "they do when x y z and rotation are read in the LiDAR frame (x forward, z up): write them in the "
            "rectified camera frame, as the KITTI format asks"
        )
    return f"{folder / 'label_2'}: {empty:.0%} of {len(camera)} boxes in {len(chosen)} frames hold no point; {advice}"


def _points_held(folder: Path, frame_id: str) -> tuple[np.ndarray, np.ndarray]:
    """Points in each box (M,) of a frame, read in the camera frame and in the LiDAR frame."""
    points = read_points(folder / "velodyne" / f"{frame_id}.bin")
    points = points[~not_finite(points)]
    objects = read_objects(folder / "label_2" / f"{frame_id}.txt")
    objects = objects.take(~without_size(objects) & (objects.names != DONT_CARE))
    camera = read_calibration(folder / "calib" / f"{frame_id}.txt").boxes_to_lidar(objects)
    return count_points_in_boxes(points, camera), count_points_in_boxes(points, _as_lidar_boxes(objects))


def _as_lidar_boxes(objects: KittiObjects) -> np.ndarray:
    """(M, 7) boxes whose location, bottom centre, and rotation were written in the LiDAR frame."""
    height, width, length = objects.dimensions.T
    centre = objects.location + np.column_stack([0 * height, 0 * height, height / 2])
    return np.column_stack([centre, length, width, height, objects.rotation_y]).astype(np.float32)
