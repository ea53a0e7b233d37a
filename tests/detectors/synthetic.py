"""Tiny scenes and configs for the detector tests: ground, and boxes covered with points."""

import numpy as np
import torch

from kecor.config import DataConfig, VoxelConfig

CLASSES = ["Car", "Pedestrian", "Cyclist"]
SMALL = {
    "type": "second",
    "backbone_3d": {"channels": [8, 8, 16, 16, 16], "out_channels": 16},
    "backbone_2d": {"layers": [1, 1], "filters": [32, 32], "up_filters": [32, 32]},
}
BOXES = np.array(
    [
        [6.1, -2.0, -1.0, 4.0, 1.7, 1.5, 0.3],
        [14.0, 3.2, -1.0, 3.8, 1.6, 1.6, -2.0],
        [9.5, 5.0, -0.6, 1.8, 0.6, 1.7, 1.4],
    ],
    np.float32,
)
LABELS = np.array([0, 0, 2])


def tiny_data(**changes) -> DataConfig:
    """25.6 x 25.6 m in 0.2 m voxels: a 16 x 16 map."""
    values = {
        "type": "kitti",
        "root": "",
        "classes": CLASSES,
        "point_cloud_range": [0.0, -12.8, -3.0, 25.6, 12.8, 1.0],
        "voxels": VoxelConfig([0.2, 0.2, 0.1]),
    }
    return DataConfig(**{**values, **changes})


def scene(boxes: np.ndarray, rng: np.random.Generator, n_ground: int = 1500) -> np.ndarray:
    """(N, 4) points: a flat ground at z = -1.8 and 150 points in each box."""
    ground = np.column_stack([rng.uniform(0, 25.6, n_ground), rng.uniform(-12.8, 12.8, n_ground), [-1.8] * n_ground])
    clouds = [ground]
    for x, y, z, dx, dy, dz, heading in np.asarray(boxes, np.float64):
        local = rng.uniform(-0.5, 0.5, (150, 3)) * (dx, dy, dz)
        cos, sin = np.cos(heading), np.sin(heading)
        clouds.append(local @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) + (x, y, z))
    points = np.concatenate(clouds)
    return np.column_stack([points, rng.uniform(0, 1, len(points))]).astype(np.float32)


def make_batch(frames: list[tuple[np.ndarray, np.ndarray, np.ndarray]], data: DataConfig) -> dict:
    """A collated batch of frames (points, boxes, labels), every voxel the mean of its points."""
    low, high = np.array(data.point_cloud_range[:3]), np.array(data.point_cloud_range[3:])
    features, coords, clouds = [], [], []
    for number, (points, _, _) in enumerate(frames):
        points = points[((points[:, :3] >= low) & (points[:, :3] < high)).all(1)]
        cells = np.floor((points[:, :3] - low) / data.voxels.size).astype(np.int32)
        unique, inverse = np.unique(cells[:, ::-1], axis=0, return_inverse=True)
        sums = np.zeros((len(unique), 4))
        np.add.at(sums, inverse.ravel(), points)
        features.append(sums / np.bincount(inverse.ravel(), minlength=len(unique))[:, None])
        coords.append(np.insert(unique, 0, number, axis=1))
        clouds.append(np.insert(points, 0, number, axis=1))
    return {
        "batch_size": len(frames),
        "frame_ids": [f"{i:06d}" for i in range(len(frames))],
        "voxel_features": torch.from_numpy(np.concatenate(features)).float(),
        "voxel_coords": torch.from_numpy(np.concatenate(coords)).int(),
        "points": torch.from_numpy(np.concatenate(clouds)).float(),
        "gt_boxes": [torch.from_numpy(np.asarray(boxes, np.float32)).reshape(-1, 7) for _, boxes, _ in frames],
        "gt_labels": [torch.from_numpy(np.asarray(labels, np.int64)) for _, _, labels in frames],
    }


def tiny_batch(n_frames: int = 1) -> dict:
    """Frames with the same boxes and other points."""
    frames = [(scene(BOXES, np.random.default_rng(seed)), BOXES, LABELS) for seed in range(n_frames)]
    return make_batch(frames, tiny_data())
