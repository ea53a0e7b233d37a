"""Tiny scenes and configs for the detector tests: ground, and boxes covered with points."""

import numpy as np
import torch
from mmengine.optim import OptimWrapper

from kecor.config import DataConfig, VoxelConfig
from kecor.detectors import Detector, build_detector

CLASSES = ["Car", "Pedestrian", "Cyclist"]
SMALL = {
    "type": "second",
    "backbone_3d": {"channels": [8, 8, 16, 16, 16], "out_channels": 16},
    "backbone_2d": {"layers": [1, 1], "filters": [32, 32], "up_filters": [32, 32]},
}
TWO_STAGE = {
    **SMALL,
    "norm_momentum": 0.2,
    "proposals": {
        "train": {"pre_nms": 512, "post_nms": 64, "nms_threshold": 0.8},
        "test": {"pre_nms": 256, "post_nms": 24, "nms_threshold": 0.7},
    },
    "sampling": {"rois": 24},
}
PV_RCNN = {
    **TWO_STAGE,
    "type": "pv_rcnn",
    "pfe": {
        "keypoints": 96,
        "out_channels": 16,
        "sources": {
            "raw_points": {"mlps": [[8, 8], [8]], "radii": [0.4, 0.8], "samples": [8, 16]},
            "x_conv2": {"mlps": [[8]], "radii": [1.2], "samples": [8]},
            "x_conv4": {"mlps": [[8, 8]], "radii": [3.0], "samples": [16]},
        },
    },
    "point_head": {"widths": [16, 16]},
    "roi_head": {
        "grid_size": 3,
        "mlps": [[8, 8], [8]],
        "radii": [0.8, 1.6],
        "samples": [8, 16],
        "shared": [32, 256],
        "widths": [32, 32],
        "dropout": 0.1,
    },
}
SECOND_IOU = {
    **TWO_STAGE,
    "type": "second_iou",
    "roi_head": {"grid_size": 4, "shared": [32, 256], "widths": [32, 32], "dropout": 0.1},
}
"""Tiny two-stage detectors; RoI features have the published width."""
NONE = (np.zeros((0, 4), np.float32), np.zeros((0, 7)), np.zeros(0))
"""A frame without points or boxes, for :func:`make_batch`."""
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


def overfit(section: dict, steps: int, n_frames: int = 1) -> tuple[Detector, list[float]]:
    """A detector trained on :func:`tiny_batch`, in training mode, and the loss of each step."""
    detector = build_detector(section, tiny_data(), seed=0).train()
    optimizer = OptimWrapper(torch.optim.Adam(detector.parameters(), lr=0.01), clip_grad={"max_norm": 10})
    batch = tiny_batch(n_frames)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        losses = [detector.train_step(batch, optimizer)["loss"].item() for _ in range(steps)]
    return detector, losses
