"""KITTI calibration: LiDAR frame <-> rectified camera frame <-> image, for points and for boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from kecor.datasets.kitti.labels import KittiObjects
from kecor.errors import DataError
from kecor.files import read_text
from kecor.structures import Boxes, wrap_angle

SHAPES = {"P2": (3, 4), "R0_rect": (3, 3), "Tr_velo_to_cam": (3, 4)}
SINGULAR = 1e-6
"""Determinant of the first three columns below which a matrix is refused; that of a rotation is 1."""


@dataclass(frozen=True)
class Calibration:
    """The three matrices of the left colour camera (Geiger et al., IJRR 2013, section on calibration), float64.

    Attributes:
        p2: (3, 4) projection, rectified camera frame (metres) -> pixels.
        r0: (3, 3) rectifying rotation.
        v2c: (3, 4) LiDAR frame -> reference camera frame.
    """

    p2: np.ndarray
    r0: np.ndarray
    v2c: np.ndarray

    @cached_property
    def _lidar_to_rect(self) -> np.ndarray:
        transform = np.eye(4)
        transform[:3] = self.r0 @ self.v2c
        return transform

    def lidar_to_rect(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) points in the LiDAR frame -> (N, 3) in the rectified camera frame, metres, float64."""
        t = self._lidar_to_rect
        return np.asarray(points, np.float64)[:, :3] @ t[:3, :3].T + t[:3, 3]

    def rect_to_lidar(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) points in the rectified camera frame -> (N, 3) in the LiDAR frame, metres, float64."""
        t = np.linalg.inv(self._lidar_to_rect)
        return np.asarray(points, np.float64) @ t[:3, :3].T + t[:3, 3]

    def rect_to_image(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) points in the rectified camera frame -> (N, 2) pixels and (N,) depth in metres."""
        homogeneous = np.asarray(points, np.float64) @ self.p2[:, :3].T + self.p2[:, 3]
        depth = homogeneous[:, 2]
        return homogeneous[:, :2] / np.where(depth == 0, 1e-9, depth)[:, None], depth - self.p2[2, 3]

    def in_view(self, points: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
        """(N,) mask of LiDAR-frame points that fall on an image of (width, height): the usual ``velodyne_reduced``."""
        pixels, depth = self.rect_to_image(self.lidar_to_rect(points))
        width, height = image_size
        inside = (pixels >= 0).all(1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
        return inside & (depth >= 0)

    def boxes_to_lidar(self, objects: KittiObjects) -> Boxes:
        """(M, 7) LiDAR-frame boxes of camera-frame objects."""
        height, width, length = objects.dimensions.T
        centre = self.rect_to_lidar(objects.location)
        centre[:, 2] += height / 2
        heading = wrap_angle(-objects.rotation_y - np.pi / 2)
        return np.column_stack([centre, length, width, height, heading]).astype(np.float32)

    def boxes_to_camera(self, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """LiDAR-frame (M, 7) boxes -> dimensions (M, 3) h w l, location (M, 3), rotation_y (M,). Inverts the above."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 7)
        bottom = boxes[:, :3].copy()
        bottom[:, 2] -= boxes[:, 5] / 2
        return boxes[:, [5, 4, 3]], self.lidar_to_rect(bottom), wrap_angle(-boxes[:, 6] - np.pi / 2)


def read_calibration(path: str | Path) -> Calibration:
    """Read a calib file of the object layout.

    Raises:
        DataError: a missing file, or a matrix that is missing, not finite, singular or of another size; names the key.
    """
    path = Path(path)
    values = dict(line.split(":", 1) for line in read_text(path).splitlines() if ":" in line)
    matrices = {}
    for key, shape in SHAPES.items():
        if key not in values:
            raise DataError(f"{path}: no {key}; a calib file of the object layout has P2, R0_rect and Tr_velo_to_cam")
        try:
            matrix = np.array(values[key].split(), dtype=np.float64)
        except ValueError as error:
            raise DataError(f"{path}: {key}: {error}") from error
        if matrix.size != shape[0] * shape[1] or not np.isfinite(matrix).all():
            raise DataError(f"{path}: {key}: expected {shape[0] * shape[1]} finite numbers, got {matrix.size}")
        matrices[key] = matrix.reshape(shape)
        if abs(np.linalg.det(matrices[key][:, :3])) < SINGULAR:
            raise DataError(f"{path}: {key}: is singular: it cannot be a calibration; correct the file")
    return Calibration(p2=matrices["P2"], r0=matrices["R0_rect"], v2c=matrices["Tr_velo_to_cam"])


def format_calibration(calib: Calibration) -> str:
    """The text of a calib file holding P0-P3 (all P2), R0_rect, Tr_velo_to_cam and an identity Tr_imu_to_velo."""
    matrices = {f"P{i}": calib.p2 for i in range(4)}
    matrices |= {"R0_rect": calib.r0, "Tr_velo_to_cam": calib.v2c, "Tr_imu_to_velo": np.eye(4)[:3]}
    return "".join(f"{key}: " + " ".join(f"{v:.12e}" for v in m.ravel()) + "\n" for key, m in matrices.items())
