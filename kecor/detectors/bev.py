"""From the sparse 3D map to a dense bird's-eye-view map."""

from __future__ import annotations

from torch import nn

from kecor.registry import STAGES


@STAGES.register_module("height_compression")
class HeightCompression(nn.Module):
    """Stacks the layers along z into channels (Yan et al. 2018, section 3.2)."""

    def forward(self, data: dict) -> dict:
        """From ``encoded_spconv_tensor`` of shape (D, H, W): adds ``spatial_features`` (N, C * D, H, W)."""
        sparse = data["encoded_spconv_tensor"]
        features = sparse.features
        dense = features.new_zeros(sparse.batch_size, *sparse.spatial_shape, features.shape[1])
        dense[sparse.indices.long().unbind(1)] = features
        return {**data, "spatial_features": dense.permute(0, 4, 1, 2, 3).flatten(1, 2)}
