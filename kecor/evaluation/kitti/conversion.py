"""Detections in the LiDAR frame -> rows of a KITTI result file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kecor.datasets.kitti.calibration import Calibration
from kecor.datasets.kitti.labels import KittiObjects
from kecor.geometry import corners
from kecor.structures import Detections, wrap_angle

NEAR = 0.1
"""Metres before the camera; what lies nearer has no image."""
_EDGES = np.array(
    [[i, j] for i in range(4) for j in ((i + 1) % 4, i + 4)] + [[i + 4, (i + 1) % 4 + 4] for i in range(4)]
)
"""The twelve edges of a box as pairs of its corners."""


def image_boxes(boxes: np.ndarray, calib: Calibration, image_size: tuple[int, int]) -> np.ndarray:
    """The 2D boxes around the visible part of 3D boxes.

    A box that reaches behind the camera is cut there, not mirrored into the image.

    Args:
        boxes: (M, 7) in the LiDAR frame.
        calib: the frame's calibration.
        image_size: (width, height) in pixels.

    Returns:
        (M, 4) left, top, right, bottom within [0, width - 1] and [0, height - 1]; without area for a box
        entirely behind the camera or outside the image.
    """
    eight = corners(boxes)
    points = calib.lidar_to_rect(eight.reshape(-1, 3)).reshape(-1, 8, 3)
    one, other = points[:, _EDGES[:, 0]], points[:, _EDGES[:, 1]]
    ends = np.concatenate([_cut_at_camera(one, other), _cut_at_camera(other, one)], 1)
    visible = ends[..., 2] >= NEAR
    pixels, _ = calib.rect_to_image(ends.reshape(-1, 3))
    pixels = pixels.reshape(-1, 24, 2)
    low = np.where(visible[..., None], pixels, np.inf).min(1)
    high = np.where(visible[..., None], pixels, -np.inf).max(1)
    limit = np.asarray(image_size, np.float64) - 1
    return np.hstack([np.clip(low, 0, limit), np.clip(high, 0, limit)])


def _cut_at_camera(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(..., 3) starts of edges; one behind the camera whose end lies before it moves along the edge to NEAR."""
    depth, span = start[..., 2], end[..., 2] - start[..., 2]
    crosses = (depth < NEAR) & (depth + span > NEAR)
    t = np.where(crosses, (NEAR - depth) / np.where(crosses, span, 1), 0)[..., None]
    cut = start + t * (end - start)
    cut[..., 2] = np.where(crosses, NEAR, cut[..., 2])
    return cut


def detections_to_objects(
    detections: Detections,
    classes: Sequence[str],
    calib: Calibration,
    image_size: tuple[int, int],
    unseen: bool = False,
) -> KittiObjects:
    """The detections that can be seen on the image, as rows of a result file.

    Truncation and occlusion are unknown (-1). The observation angle is rotation_y less the direction of
    sight, atan2(x, z) (KITTI object development kit, readme.txt).

    Args:
        detections: (K, 7) boxes in the LiDAR frame.
        classes: class name of each label.
        calib: the frame's calibration.
        image_size: (width, height) in pixels.
        unseen: keep those that cannot be seen as well.

    Raises:
        ValueError: the boxes are not (K, 7), or a box or score is not finite.
    """
    boxes, scores = np.asarray(detections.boxes, np.float64), np.asarray(detections.scores, np.float64)
    if len(boxes) == 0:
        return KittiObjects.from_rows([], np.zeros((0, 15)))
    if boxes.shape != (len(scores), 7):
        raise ValueError(f"expected boxes of shape ({len(scores)}, 7), got {boxes.shape}")
    finite = np.isfinite(boxes).all(1) & np.isfinite(scores)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise ValueError(f"detection {row} is not finite: box {boxes[row].tolist()}, score {scores[row]}")
    dimensions, location, rotation_y = calib.boxes_to_camera(boxes)
    bbox = image_boxes(boxes, calib, image_size)
    unknown = np.full(len(boxes), -1)
    objects = KittiObjects(
        names=np.asarray(classes, dtype=str)[np.asarray(detections.labels, np.int64)],
        truncated=unknown.astype(np.float64),
        occluded=unknown,
        alpha=wrap_angle(rotation_y - np.arctan2(location[:, 0], location[:, 2])),
        bbox=bbox,
        dimensions=dimensions,
        location=location,
        rotation_y=rotation_y,
        scores=scores,
    )
    return objects.take(((bbox[:, 2] > bbox[:, 0]) & (bbox[:, 3] > bbox[:, 1])) | unseen)
