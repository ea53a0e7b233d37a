"""Voxel set abstraction: a few keypoints gather what all levels of the backbone know (Shi et al. 2020, section 3.1)."""

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
"""Sources of keypoint features in OpenPCDet's pv_rcnn.yaml for KITTI."""
STRIDES = {"x_conv1": 1, "x_conv2": 2, "x_conv3": 4, "x_conv4": 8}
"""Input voxels along each axis in one voxel of a level of the backbone."""


@DETECTOR_STAGES.register_module("voxel_set_abstraction")
class VoxelSetAbstraction(nn.Module):
    """Keypoints by furthest-point sampling; each reads the bird's-eye-view map and abstracts its surroundings in the
    cloud and in levels of the 3D backbone.

    Args:
        grid: of the voxels.
        point_channels: numbers of a point: x, y, z, intensity, ...
        map_channels: of the bird's-eye-view map before the 2D backbone.
        scale_channels: of each level of the 3D backbone, by name.
        keypoints: in each frame (2,048 for KITTI, 4,096 for Waymo).
        out_channels: of the fused feature.
        sources: by name, ``raw_points`` or a level, the ``mlps``, ``radii`` and ``samples`` of its
            :class:`~kecor.detectors.layers.set_abstraction.SetAbstraction`. Default: KITTI's.

    Raises:
        ConfigError: an unknown source, or one with wrong arguments.
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
            raise ConfigError(f"detector.pfe.keypoints: {keypoints} is not above zero")
        self.grid = grid
        self.keypoints = keypoints
        self.scale_channels = dict(scale_channels)
        channels = {RAW: point_channels - 3, **scale_channels}
        layers = {}
        for name, section in (sources or PUBLISHED).items():
            key = f"detector.pfe.sources.{name}"
            if name not in channels:
                raise ConfigError(f"{key}: no such source; known: {', '.join(channels)}")
            check_arguments(SetAbstraction, {"in_channels": 0, "key": "", **section}, key)
            layers[name] = SetAbstraction(channels[name], **section, key=key)
        self.levels = [name for name in scale_channels if name in layers]
        self.SA_layers = nn.ModuleList(layers[name] for name in self.levels)  # names as published
        self.SA_rawpoints = layers.get(RAW)
        self.in_channels = map_channels + sum(layer.out_channels for layer in layers.values())
        self.vsa_point_feature_fusion = point_layers(self.in_channels, [out_channels])
        self.out_channels = out_channels

    def forward(self, data: dict) -> dict:
        """From ``points`` (P, 1 + point_channels), ``spatial_features`` and ``multi_scale_3d_features``: adds
        ``keypoints``, (K_f, 3) metres of each frame, and for the keypoints of all frames, one after the other,
        ``keypoint_features`` (K, out_channels) and ``unfused_features`` (K, in_channels).

        As published, points above and below the grid count: they become keypoints too.

        A frame with fewer points than keypoints has each several times; one without points has no keypoint.
        """
        clouds = by_frame(data["points"][:, 1:], data["points"][:, 0], data["batch_size"])
        keypoints = [cloud[ops.furthest_point_sample(cloud[:, :3], self.keypoints), :3] for cloud in clouds]
        read = [self._read_map(bev, around) for bev, around in zip(data["spatial_features"], keypoints)]
        found = [torch.cat(read)]
        if self.SA_rawpoints is not None:
            points, features = [c[:, :3].contiguous() for c in clouds], [c[:, 3:] for c in clouds]
            found.append(self.SA_rawpoints(points, features, keypoints))
        for name, layer in zip(self.levels, self.SA_layers):
            points, features = self._level(data, name, keypoints)
            found.append(layer(points, features, keypoints))
        unfused = torch.cat(found, dim=1)
        fused = run_rows(self.vsa_point_feature_fusion, unfused)
        return {**data, "keypoints": keypoints, "unfused_features": unfused, "keypoint_features": fused}

    def _level(self, data: dict, name: str, keypoints: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Centres (V_f, 3) and features (V_f, C) of the voxels of a level of the backbone, of each frame."""
        sparse = data["multi_scale_3d_features"].get(name)
        if sparse is None:  # no frame of the batch has a voxel
            none = [around.new_zeros(0, 3) for around in keypoints]
            return none, [around.new_zeros(0, self.scale_channels[name]) for around in keypoints]
        cells = sparse.indices[:, [3, 2, 1]].to(keypoints[0].dtype)
        size = cells.new_tensor(self.grid.voxel_size) * STRIDES[name]
        centres = (cells + 0.5) * size + cells.new_tensor(self.grid.point_cloud_range[:3])
        frame, count = sparse.indices[:, 0], data["batch_size"]
        return by_frame(centres, frame, count), by_frame(sparse.features, frame, count)

    def _read_map(self, bev: Tensor, points: Tensor) -> Tensor:
        """(K, C) values of a (C, H, W) map at points, as published: bilinear between cells, cell (i, j) standing for
        the point ``(j, i) * cell`` from the range's corner; zero beyond the last cell."""
        cell = points.new_tensor(self.grid.voxel_size[:2]) * STRIDE
        place = (points[:, :2] - points.new_tensor(self.grid.point_cloud_range[:2])) / cell
        low = place.floor().long()
        last = low.new_tensor([bev.shape[2] - 1, bev.shape[1] - 1])
        corners = torch.stack([low, low + 1]).clamp(min=low.new_zeros(2), max=last)  # (2, K, 2)
        share = torch.stack([corners[1] - place, place - corners[0]])  # both from one corner, beyond the last: sum 0
        rows = bev.float().permute(1, 2, 0).flatten(0, 1)
        result = rows.new_zeros(len(points), rows.shape[1])
        for i in (0, 1):
            for j in (0, 1):
                row = corners[i, :, 1] * bev.shape[2] + corners[j, :, 0]
                result = result + rows.index_select(0, row) * (share[i, :, 1] * share[j, :, 0])[:, None]
        return result


def by_frame(rows: Tensor, frame: Tensor, batch_size: int) -> list[Tensor]:
    """The rows of each frame of a batch, in their order; ``frame`` (N,) says whose each is."""
    if batch_size == 1:
        return [rows]
    return [rows[frame == number] for number in range(batch_size)]
