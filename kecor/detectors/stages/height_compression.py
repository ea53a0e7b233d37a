"""Converts the sparse 3D map to a dense bird's-eye-view map."""

from __future__ import annotations

import torch
from torch import nn

from kecor.registry import DETECTOR_STAGES


@DETECTOR_STAGES.register_module("height_compression")
class HeightCompression(nn.Module):
    """Stacks the layers along z as channels (Yan et al. 2018, section 3.2)."""

    def forward(self, data: dict) -> dict:
        """Reads ``encoded_spconv_tensor`` of shape (D, H, W); adds ``spatial_features`` (N, C * D, H, W)."""
        sparse = data["encoded_spconv_tensor"]
        features, (depth, height, width) = sparse.features, sparse.spatial_shape
        shape = (sparse.batch_size, features.shape[1] * depth, height, width)
        # CPU inference is faster with channels last; training keeps the contiguous layout, so its results do not change
        channels_last = not self.training and features.device.type == "cpu"
        layout = torch.channels_last if channels_last else torch.contiguous_format
        dense = torch.empty(shape, dtype=features.dtype, device=features.device, memory_format=layout).zero_()
        frame, z, y, x = sparse.indices.long().unbind(1)
        dense.unflatten(1, (-1, depth))[frame, :, z, y, x] = features
        return {**data, "spatial_features": dense}
