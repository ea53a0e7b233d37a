"""Frames to network input: augmentation, cropping, voxels, and batches of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from kecor.config import DataConfig
from kecor.datasets.augmentation import build_transforms
from kecor.datasets.frame_cache import FrameCache
from kecor.datasets.gt_database import GTDatabase
from kecor.datasets.voxels import voxelize
from kecor.structures import Frame

CACHE_BYTES = 1 << 30
"""Memory for frames read in training, over all workers."""

TRUTH = ("gt_boxes", "gt_labels", "gt_velocities")
"""Entries of a sample that have one row a ground-truth box."""


class Samples(Dataset):
    """Network input of some frames, addressed by ``(epoch, index)`` or, for epoch 0, by ``index``.

    In training, frames are varied and their points shuffled by a generator that is a function of ``seed``, epoch and
    frame id alone: neither order, workers nor a restart change a sample. A frame is read through ``read`` and nothing
    else, and only frames of ``ids`` are read.

    Args:
        read: frame id -> frame; with labels for training.
        ids: the frames, by index.
        data: classes, range, voxels and augmentation.
        training: vary the frames and use the voxel limit of training.
        seed: not negative.
        gt_database: the objects ``gt_sampling`` pastes; by default those of the frames of ``ids``.
    """

    def __init__(
        self,
        read: Callable[[str], Frame],
        ids: Sequence[str],
        data: DataConfig,
        training: bool,
        seed: int = 0,
        gt_database: GTDatabase | None = None,
    ) -> None:
        self.ids = list(ids)
        self.data = data
        self.training = training
        self.seed = seed
        self.read = FrameCache(read, CACHE_BYTES // max(1, data.workers)) if training else read

        def database() -> GTDatabase:
            return gt_database or GTDatabase.from_frames(map(self._read_inside, self.ids), data.classes)

        self.transforms = build_transforms(data.augmentation, database) if training else []

    def __len__(self) -> int:
        return len(self.ids)

    def _read_inside(self, frame_id: str) -> Frame:
        """A frame with the objects inside the range; others would be pasted where nothing is trained."""
        frame = self.read(frame_id)
        kept = inside(frame.boxes, self.data.point_cloud_range)
        return replace(frame, boxes=frame.boxes[kept], names=frame.names[kept])

    def __getitem__(self, item: tuple[int, int] | int) -> dict[str, Any]:
        """One sample, numpy.

        Returns:
            ``frame_id``; ``points`` (N, C) inside the range in x and y; ``voxel_features`` (V, C) and ``voxel_coords``
            (V, 3) z, y, x of the points inside it in z too; ``gt_boxes`` (M, 7) whose centres are inside;
            ``gt_labels`` (M,) int64; where the data set has velocities, ``gt_velocities`` (M, 2), NaN where unknown.
        """
        epoch, index = item if isinstance(item, tuple) else (0, item)
        frame = self.read(self.ids[index])
        if self.training:
            rng = np.random.default_rng([self.seed, epoch, zlib.crc32(frame.frame_id.encode())])
            for transform in self.transforms:
                frame = transform(frame, rng)
        points = frame.points[above_range(frame.points, self.data.point_cloud_range)]
        if self.training:
            points = points[rng.permutation(len(points))]
        voxels = self.data.voxels
        features, coords = voxelize(
            points,
            self.data.point_cloud_range,
            voxels.size,
            voxels.max_points,
            voxels.max_train if self.training else voxels.max_test,
        )
        kept = inside(frame.boxes, self.data.point_cloud_range) & np.isin(frame.names, self.data.classes)
        labels = [self.data.classes.index(name) for name in frame.names[kept].tolist()]
        sample = {
            "frame_id": frame.frame_id,
            "points": points,
            "voxel_features": features,
            "voxel_coords": coords,
            "gt_boxes": frame.boxes[kept],
            "gt_labels": np.array(labels, np.int64),
        }
        if "velocity" in frame.meta:
            sample["gt_velocities"] = frame.meta["velocity"][kept]
        return sample


def above_range(points: np.ndarray, point_cloud_range: Sequence[float]) -> np.ndarray:
    """(N,) mask of the finite points (x, y, z, ...) above, in or below the range, whose faces along x and y count.

    Compared in float32. PV-RCNN was published with keypoints drawn from these; :func:`~kecor.datasets.voxelize` drops
    those its grid does not hold.
    """
    low, high = np.asarray(point_cloud_range, np.float32).reshape(2, 3)[:, :2]
    xy = points[:, :2]
    return ((xy >= low) & (xy <= high)).all(axis=1) & np.isfinite(points[:, 2])


def inside(positions: np.ndarray, point_cloud_range: Sequence[float]) -> np.ndarray:
    """(N,) mask of the rows (x, y, z, ...) inside (x0, y0, z0, x1, y1, z1), its upper faces excluded."""
    low, high = np.asarray(point_cloud_range, np.float64).reshape(2, 3)
    xyz = positions[:, :3]
    return np.logical_and.reduce((xyz >= low) & (xyz < high), axis=1)


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch of samples: CPU tensors.

    Returns:
        ``batch_size``; ``frame_ids``; ``points`` (P, 1 + C) with the batch index in front; ``voxel_features`` (V, C);
        ``voxel_coords`` (V, 4) int32: batch, z, y, x; ``gt_boxes``, ``gt_labels`` and, where every sample has
        them, ``gt_velocities``: one tensor a frame.
    """
    truth = [key for key in TRUTH if all(key in sample for sample in samples)]
    return {
        "batch_size": len(samples),
        "frame_ids": [sample["frame_id"] for sample in samples],
        "points": _stack(samples, "points"),
        "voxel_features": torch.from_numpy(np.concatenate([sample["voxel_features"] for sample in samples])),
        "voxel_coords": _stack(samples, "voxel_coords"),
        **{key: [torch.from_numpy(sample[key]) for sample in samples] for key in truth},
    }


def _stack(samples: list[dict[str, Any]], key: str) -> torch.Tensor:
    """The rows of all samples, each with its sample's position in the batch in front."""
    arrays = [sample[key] for sample in samples]
    batch = np.repeat(np.arange(len(arrays), dtype=arrays[0].dtype), [len(a) for a in arrays])
    return torch.from_numpy(np.column_stack([batch, np.concatenate(arrays)]))
