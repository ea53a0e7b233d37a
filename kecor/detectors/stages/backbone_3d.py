"""The sparse 3D backbone of SECOND (Yan et al. 2018, figure 2; channels as in OpenPCDet's VoxelBackBone8x)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from kecor.detectors.grid import Grid
from kecor.detectors.layers.sparse import Sequential, sparse_tensor, strided_block, submanifold_block, use_device
from kecor.errors import ConfigError
from kecor.registry import DETECTOR_STAGES

OUT_KERNEL, OUT_STRIDE = (3, 1, 1), (2, 1, 1)


@DETECTOR_STAGES.register_module("voxel_backbone")
class VoxelBackbone(nn.Module):
    """Sparse convolutions that downsample the voxels 8 times along x and y and to a few layers along z.

    Args:
        grid: the voxel grid of the input.
        in_channels: features per voxel: x, y, z, intensity.
        channels: channels of the input convolution and of the four levels after it.
        out_channels: channels of the last convolution, which downsamples z only.

    Raises:
        ConfigError: not five ``channels``, or too few voxels along z for the last convolution.
    """

    def __init__(
        self,
        grid: Grid,
        in_channels: int = 4,
        channels: Sequence[int] = (16, 16, 32, 64, 64),
        out_channels: int = 128,
    ):
        super().__init__()
        if len(channels) != 5:
            raise ConfigError(f"detector.backbone_3d.channels: got {list(channels)}; expected 5 numbers")
        c0, c1, c2, c3, c4 = channels
        self.in_channels = in_channels
        self.sparse_shape = grid.sparse_shape
        self.conv_input = submanifold_block(in_channels, c0, "subm1")
        self.conv1 = Sequential(submanifold_block(c0, c1, "subm1"))
        self.conv2 = self._level(c1, c2, 2, (1, 1, 1))
        self.conv3 = self._level(c2, c3, 3, (1, 1, 1))
        self.conv4 = self._level(c3, c4, 4, (0, 1, 1))
        self.conv_out = strided_block(c4, out_channels, "spconv_down2", OUT_KERNEL, OUT_STRIDE, (0, 0, 0))
        self.scale_channels = dict(zip(("x_conv1", "x_conv2", "x_conv3", "x_conv4"), channels[1:]))
        self.out_channels = out_channels
        self.out_shape = (self._depth(grid), *grid.bev_shape)

    @staticmethod
    def _level(in_channels: int, out_channels: int, level: int, padding: tuple[int, int, int]) -> Sequential:
        key = f"subm{level}"
        return Sequential(
            strided_block(in_channels, out_channels, f"spconv{level}", padding=padding),
            submanifold_block(out_channels, out_channels, key),
            submanifold_block(out_channels, out_channels, key),
        )

    @staticmethod
    def _depth(grid: Grid) -> int:
        """Layers along z of the output: (size + 2 padding - 3) // 2 + 1 after each of the four strided convolutions."""
        size = grid.sparse_shape[0]
        for padding in (1, 1, 0, 0):
            size = (size + 2 * padding - 3) // 2 + 1
        if size < 1:
            raise ConfigError(
                f"data.voxels.size: {grid.cells[2]} voxels along z are too few; the backbone needs at least 24"
            )
        return size

    def forward(self, data: dict) -> dict:
        """Reads ``voxel_features`` (V, in_channels) and ``voxel_coords`` (V, 4) as batch index, z, y, x. Adds the
        sparse tensor ``encoded_spconv_tensor`` and ``multi_scale_3d_features``, the sparse tensors at strides 1, 2, 4
        and 8 by name (empty if no frame of the batch has a voxel).

        Sparse convolution runs in float32 under autocast too.
        """
        features, coords, batch_size = data["voxel_features"], data["voxel_coords"], data["batch_size"]
        if len(features) == 0:  # spconv does not accept empty tensors
            empty = sparse_tensor(features.new_zeros(0, self.out_channels), coords, self.out_shape, batch_size)
            return {**data, "encoded_spconv_tensor": empty, "multi_scale_3d_features": {}}
        use_device(self, features.device)
        with torch.autocast(features.device.type, enabled=False):
            x = sparse_tensor(features, coords, self.sparse_shape, batch_size)
            x1 = self.conv1(self.conv_input(x))
            x2 = self.conv2(x1)
            x3 = self.conv3(x2)
            x4 = self.conv4(x3)
            out = self.conv_out(x4)
        scales = {"x_conv1": x1, "x_conv2": x2, "x_conv3": x3, "x_conv4": x4}
        return {**data, "encoded_spconv_tensor": out, "multi_scale_3d_features": scales}
