"""The 2D backbone: a small feature pyramid on the bird's-eye-view map (Yan et al. 2018, section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from kecor.detectors.layers.folding import ConvNormReLU
from kecor.errors import ConfigError
from kecor.registry import DETECTOR_STAGES


@DETECTOR_STAGES.register_module("bev_backbone")
class BEVBackbone(nn.Module):
    """Levels of 3x3 convolutions, each upsampled to a common resolution by a transposed convolution and concatenated.

    Args:
        in_channels: channels of the map.
        shape: (H, W) of the map.
        layers: number of 3x3 convolutions in each level, after its first, strided one.
        strides: stride of each level.
        filters: channels of each level.
        up_strides: upsampling factor of each level.
        up_filters: output channels of each level.

    Raises:
        ConfigError: lists of different lengths, levels upsampled to different resolutions, or a map size that the
            strides do not divide.
    """

    def __init__(
        self,
        in_channels: int,
        shape: tuple[int, int],
        layers: Sequence[int] = (5, 5),
        strides: Sequence[int] = (1, 2),
        filters: Sequence[int] = (128, 256),
        up_strides: Sequence[int] = (1, 2),
        up_filters: Sequence[int] = (256, 256),
    ):
        super().__init__()
        stride = self._output_stride(shape, layers, strides, filters, up_strides, up_filters)
        inputs = [in_channels, *filters[:-1]]
        self.blocks = nn.ModuleList(self._level(*level) for level in zip(inputs, filters, strides, layers))
        self.deblocks = nn.ModuleList(
            ConvNormReLU(nn.ConvTranspose2d(c, up, s, stride=s, bias=False), *_norm_relu(up))
            for c, up, s in zip(filters, up_filters, up_strides)
        )
        self.out_channels = sum(up_filters)
        self.out_shape = (shape[0] // stride, shape[1] // stride)
        self.stride = stride

    @staticmethod
    def _output_stride(
        shape: tuple[int, int],
        layers: Sequence[int],
        strides: Sequence[int],
        filters: Sequence[int],
        up_strides: Sequence[int],
        up_filters: Sequence[int],
    ) -> int:
        """Stride of the output relative to the input map."""
        if len({len(v) for v in (layers, strides, filters, up_strides, up_filters)}) != 1 or not layers:
            raise ConfigError(
                "detector.backbone_2d: layers, strides, filters, up_strides and up_filters need one number per level"
            )
        ratios = {math.prod(strides[: i + 1]) / up for i, up in enumerate(up_strides)}
        stride = ratios.pop()
        if ratios or stride != int(stride):
            raise ConfigError("detector.backbone_2d: strides and up_strides give the levels different resolutions")
        total = math.prod(strides)
        if shape[0] % total or shape[1] % total:
            raise ConfigError(
                f"detector.backbone_2d.strides: the map of {shape[0]} x {shape[1]} cells (y, x) is not divisible by "
                f"their product {total}; change data.point_cloud_range"
            )
        return int(stride)

    @staticmethod
    def _level(in_channels: int, channels: int, stride: int, layers: int) -> ConvNormReLU:
        modules = [nn.ZeroPad2d(1), nn.Conv2d(in_channels, channels, 3, stride=stride, bias=False)]
        modules += _norm_relu(channels)
        for _ in range(layers):
            modules += [nn.Conv2d(channels, channels, 3, padding=1, bias=False), *_norm_relu(channels)]
        return ConvNormReLU(*modules)

    def forward(self, data: dict) -> dict:
        """Reads ``spatial_features`` (N, in_channels, H, W); adds ``spatial_features_2d`` (N, out_channels, H', W')."""
        x = data["spatial_features"]
        levels = []
        for block, deblock in zip(self.blocks, self.deblocks):
            x = block(x)
            levels.append(deblock(x))
        return {**data, "spatial_features_2d": torch.cat(levels, dim=1)}


def _norm_relu(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01), nn.ReLU()]
