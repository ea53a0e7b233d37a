"""KITTI label files as they are written, and what they would mean if they were written otherwise."""

from __future__ import annotations

import numpy as np

from kecor.datasets.kitti.calibration import Calibration
from kecor.datasets.kitti.images import DEFAULT_IMAGE_SIZE
from kecor.datasets.kitti.labels import KittiObjects

LIDAR_FRAME = (
    "x y z and rotation are read in the LiDAR frame (x forward, z up): write them in the rectified camera frame, as "
    "the KITTI format asks"
)
CENTRE_OFF = 0.25
"""Share of an image's width or height by which the optical centre may lie off its middle; KITTI's is 4 % off."""


def written_boxes(objects: KittiObjects, calib: Calibration) -> np.ndarray:
    """(M, 7) float64 boxes in the LiDAR frame with headings not wrapped: in degrees where ``rotation_y`` must be."""
    boxes = calib.boxes_to_lidar(objects).astype(np.float64)
    degrees = (np.abs(objects.rotation_y) > 2 * np.pi).any()
    boxes[:, 6] = -objects.rotation_y - (90 if degrees else np.pi / 2)
    return boxes


def lidar_boxes(objects: KittiObjects) -> np.ndarray:
    """(M, 7) boxes whose location, bottom centre, and rotation were written in the LiDAR frame."""
    height, width, length = objects.dimensions.T
    centre = objects.location + np.column_stack([0 * height, 0 * height, height / 2])
    return np.column_stack([centre, length, width, height, objects.rotation_y]).astype(np.float32)


def image_size_warning(calib: Calibration, where: str) -> str | None:
    """A warning when an image of the assumed size would have its optical centre far off its middle."""
    centre, size = calib.p2[:2, 2], np.array(DEFAULT_IMAGE_SIZE)
    if (np.abs(centre - size / 2) <= CENTRE_OFF * size).all():
        return None
    likely = " x ".join(f"{2 * value:.0f}" for value in centre)
    return (
        f"{where}: the optical centre of P2 is {centre[0]:.0f}, {centre[1]:.0f}, far off the middle of the assumed "
        f"image of {size[0]} x {size[1]} pixels (likely {likely}); give the sizes in image_sizes.csv, or the images"
    )
