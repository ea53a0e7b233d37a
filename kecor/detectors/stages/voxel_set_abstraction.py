"""Voxel set abstraction: keypoints aggregate features of all backbone levels (Shi et al. 2020, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kecor import ops
from kecor.config import check_arguments
from kecor.detectors.grid import STRIDE, Grid
from kecor.detectors.layers.pointwise import point_layers, run_rows
from kecor.detectors.layers.set_abstraction import SetAbstraction
from kecor.errors import ConfigError
from kecor.registry import DETECTOR_STAGES

RAW = "raw_points"
PUBLISHED = {
    RAW: {"mlps": [[16, 16], [16, 16]], "radii": [0.4, 0.8], "samples": [16, 16]},
    "x_conv1": {"mlps": [[16, 16], [16, 16]], "radii": [0.4, 0.8], "samples": [16, 16]},
    "x_conv2": {"mlps": [[32, 32], [32, 32]], "radii": [0.8, 1.2], "samples": [16, 32]},
    "x_conv3": {"mlps": [[64, 64], [64, 64]], "radii": [1.2, 2.4], "samples": [16, 32]},
    "x_conv4": {"mlps": [[64, 64], [64, 64]], "radii": [2.4, 4.8], "samples": [16, 32]},
}
"""The sources of keypoint features in OpenPCDet's pv_rcnn.yaml for KITTI."""
STRIDES = {"x_conv1": 1, "x_conv2": 2, "x_conv3": 4, "x_conv4": 8}
"""Stride of each backbone level: input voxels along each axis per voxel of the level."""


@DETECTOR_STAGES.register_module("voxel_set_abstraction")
class VoxelSetAbstraction(nn.Module):
    """Samples keypoints by furthest-point sampling and computes a feature of each.

    The feature combines the bird's-eye-view map at the keypoint with set abstraction over the raw points and over the
    voxels of several backbone levels.

    Args:
        grid: the voxel grid.
        point_channels: columns of a point: x, y, z, intensity, ...
        map_channels: channels of the bird's-eye-view map before the 2D backbone.
        scale_channels: channels of each backbone level, by name.
        keypoints: number of keypoints per frame (2,048 for KITTI, 4,096 for Waymo).
        out_channels: channels of the fused feature.
        sources: ``mlps``, ``radii`` and ``samples`` of a
            :class:`~kecor.detectors.layers.set_abstraction.SetAbstraction` for each source, ``raw_points`` or a level.
            Default: KITTI's.

    Raises:
        ConfigError: an unknown source, or one with invalid arguments.
    """

    def __init__(
        self,
        grid: Grid,
        point_channels: int,
        map_channels: int,
        scale_channels: Mapping[str, int],
        keypoints: int = 2048,
        out_channels: int = 128,
        sources: Mapping[str, dict[str, Any]] | None = None,
    ):
        super().__init__()
        if keypoints < 1:
            raise ConfigError(f"detector.pfe.keypoints: got {keypoints}; expected at least 1")
        self.grid = grid
        self.keypoints = keypoints
        self.scale_channels = dict(scale_channels)
        channels = {RAW: point_channels - 3, **scale_channels}
        layers = {}
        for name, section in (sources or PUBLISHED).items():
            key = f"detector.pfe.sources.{name}"
            if name not in channels:
                raise ConfigError(f"{key}: unknown source; expected one of: {', '.join(channels)}")
            check_arguments(SetAbstraction, {"in_channels": 0, "key": "", **section}, key)
            layers[name] = SetAbstraction(channels[name], **section, key=key)
        self.levels = [name for name in scale_channels if name in layers]
        self.SA_layers = nn.ModuleList(layers[name] for name in self.levels)  # attribute names as published
        self.SA_rawpoints = layers.get(RAW)
        self.in_channels = map_channels + sum(layer.out_channels for layer in layers.values())
        self.vsa_point_feature_fusion = point_layers(self.in_channels, [out_channels])
        self.out_channels = out_channels

    def forward(self, data: dict) -> dict:
        """Reads ``points`` (P, 1 + point_channels), ``spatial_features`` and ``multi_scale_3d_features``. Adds
        ``keypoints``, a list of (K_f, 3) positions per frame, and, for the keypoints of all frames concatenated,
        ``keypoint_features`` (K, out_channels) and ``unfused_features`` (K, in_channels).

        As published, points above and below the grid can become keypoints. If a frame has fewer points than keypoints,
        they are repeated; a frame without points has no keypoints.
        """
        clouds = by_frame(data["points"][:, 1:], data["points"][:, 0], data["batch_size"])
        keypoints = [cloud[ops.furthest_point_sample(cloud[:, :3], self.keypoints), :3] for cloud in clouds]
        bev_features = [self._sample_map(bev, at) for bev, at in zip(data["spatial_features"], keypoints)]
        parts = [torch.cat(bev_features)]
        if self.SA_rawpoints is not None:
            points, features = [c[:, :3].contiguous() for c in clouds], [c[:, 3:] for c in clouds]
            parts.append(self.SA_rawpoints(points, features, keypoints))
        for name, layer in zip(self.levels, self.SA_layers):
            points, features = self._level(data, name, keypoints)
            parts.append(layer(points, features, keypoints))
        unfused = torch.cat(parts, dim=1)
        fused = run_rows(self.vsa_point_feature_fusion, unfused)
        return {**data, "keypoints": keypoints, "unfused_features": unfused, "keypoint_features": fused}

    def _level(self, data: dict, name: str, keypoints: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Centres (V_f, 3) and features (V_f, C) of the voxels of a backbone level, per frame."""
        sparse = data["multi_scale_3d_features"].get(name)
        if sparse is None:  # no frame of the batch has a voxel
            empty = [points.new_zeros(0, 3) for points in keypoints]
            return empty, [points.new_zeros(0, self.scale_channels[name]) for points in keypoints]
        cells = sparse.indices[:, [3, 2, 1]].to(keypoints[0].dtype)
        size = cells.new_tensor(self.grid.voxel_size) * STRIDES[name]
        centres = (cells + 0.5) * size + cells.new_tensor(self.grid.point_cloud_range[:3])
        frame, count = sparse.indices[:, 0], data["batch_size"]
        return by_frame(centres, frame, count), by_frame(sparse.features, frame, count)

    def _sample_map(self, bev: Tensor, points: Tensor) -> Tensor:
        """(K, C) values of a (C, H, W) map at points, by bilinear interpolation as published: cell (i, j) is at
        ``(j, i) * cell`` from the lower corner of the range, and the value is zero beyond the last cell."""
        cell = points.new_tensor(self.grid.voxel_size[:2]) * STRIDE
        position = (points[:, :2] - points.new_tensor(self.grid.point_cloud_range[:2])) / cell
        low = position.floor().long()
        last = low.new_tensor([bev.shape[2] - 1, bev.shape[1] - 1])
        corners = torch.stack([low, low + 1]).clamp(min=low.new_zeros(2), max=last)  # (2, K, 2)
        share = torch.stack([corners[1] - position, position - corners[0]])  # beyond the last cell the shares cancel
        rows = bev.float().permute(1, 2, 0).flatten(0, 1)
        result = rows.new_zeros(len(points), rows.shape[1])
        for i in (0, 1):
            for j in (0, 1):
                row = corners[i, :, 1] * bev.shape[2] + corners[j, :, 0]
                result = result + rows.index_select(0, row) * (share[i, :, 1] * share[j, :, 0])[:, None]
        return result


def by_frame(rows: Tensor, frame: Tensor, batch_size: int) -> list[Tensor]:
    """The rows of each frame of a batch, in their order; ``frame`` (N,) is the batch index of each row."""
    if batch_size == 1:
        return [rows]
    return [rows[frame == number] for number in range(batch_size)]
