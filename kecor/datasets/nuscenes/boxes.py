"""The annotations of a key frame as boxes in the frame of its LiDAR."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from kecor.datasets.nuscenes.transforms import lidar_to_global, rotations
from kecor.errors import DataError
from kecor.structures import Boxes, as_boxes

if TYPE_CHECKING:
    from kecor.datasets.nuscenes.tables import Tables


@dataclass(frozen=True)
class Annotations:
    """The boxes of one sample.

    Attributes:
        tokens: (M,) of ``sample_annotation``.
        boxes: (M, 7) in the LiDAR frame; a box's slight roll and pitch in it are dropped.
        names: (M,) class of the detection task; empty for categories that have none.
        velocity: (M, 2) m/s along x and y of the LiDAR frame; NaN where unknown.
        velocity_global: (M, 2) m/s in the global frame; NaN where unknown.
        num_lidar_pts: (M,) points of the key frame's sweep inside the box.
        num_radar_pts: (M,) radar points inside the box.
    """

    tokens: np.ndarray
    boxes: Boxes
    names: np.ndarray
    velocity: np.ndarray
    velocity_global: np.ndarray
    num_lidar_pts: np.ndarray
    num_radar_pts: np.ndarray

    def take(self, index: np.ndarray) -> Annotations:
        """The rows an index or mask names."""
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})


def read_annotations(tables: Tables, sample_token: str) -> Annotations:
    """All annotations of a sample, of whatever category, in the order of the table.

    Raises:
        DataError: a record is missing or faulty; names the sample.
    """
    from nuscenes.eval.detection.utils import category_to_detection_name

    pose = lidar_to_global(tables, tables.key_frame(sample_token))
    tokens = tables.get("sample", sample_token)["anns"]
    records = [tables.get("sample_annotation", token) for token in tokens]
    velocity = np.array([tables.box_velocity(token) for token in tokens]).reshape(-1, 3)
    velocity[~np.isfinite(velocity).all(axis=1)] = np.nan
    try:
        boxes = as_boxes(_boxes(records, pose))
        points = np.array([[r["num_lidar_pts"], r["num_radar_pts"]] for r in records], np.int64).reshape(-1, 2)
    except (ValueError, TypeError) as error:
        raise DataError(f"{tables.table_root}/sample_annotation.json: sample {sample_token}: {error}") from error
    return Annotations(
        tokens=np.array(tokens, dtype=str),
        boxes=boxes,
        names=np.array([category_to_detection_name(r["category_name"]) or "" for r in records], dtype=str),
        velocity=(velocity @ pose[:3, :3])[:, :2].astype(np.float32),
        velocity_global=velocity[:, :2],
        num_lidar_pts=points[:, 0],
        num_radar_pts=points[:, 1],
    )


def _boxes(records: list[dict], pose: np.ndarray) -> np.ndarray:
    """(M, 7) boxes in the frame with the global ``pose``; sizes are stored as width, length, height."""
    if not records:
        return np.zeros((0, 7))
    centres = np.array([r["translation"] for r in records], np.float64) - pose[:3, 3]
    forward = rotations([r["rotation"] for r in records]).as_matrix()[:, :, 0] @ pose[:3, :3]
    sizes = np.array([r["size"] for r in records], np.float64)[:, [1, 0, 2]]
    return np.column_stack([centres @ pose[:3, :3], sizes, np.arctan2(forward[:, 1], forward[:, 0])])
