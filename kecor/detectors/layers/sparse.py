"""Sparse convolution blocks; the only module that imports spconv.

spconv chooses the algorithm of a convolution at construction, but only ``Native`` runs on a CPU. Blocks are built with
spconv's default, and :func:`use_device` sets the algorithm for the current device before each forward pass. The weight
layout, (out, kz, ky, kx, in), is the same for both.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from kecor.detectors.layers.folding import fold

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # spconv still uses torch.cuda.amp.custom_fwd
    from spconv.core import ConvAlgo
    from spconv.pytorch import SparseConv3d, SubMConv3d
    from spconv.pytorch import SparseConvTensor as SparseTensor
    from spconv.pytorch import SparseSequential as Sequential
    from spconv.pytorch.conv import SparseConvolution

logging.getLogger("torch.fx._symbolic_trace").addFilter(  # a warning about spconv's own code
    lambda record: "is_fx_tracing" not in record.getMessage()
)


class Block(Sequential):
    """Sparse convolution without bias, batch normalisation over active sites, ReLU; folded together in eval mode."""

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Sparse tensor to sparse tensor."""
        if self.training:
            return super().forward(x)
        conv, norm, _ = self
        weight, bias = fold(conv.weight, norm)
        x = functional_call(conv, {"weight": weight}, (x,))
        return x.replace_feature(x.features.add_(bias).relu_())  # spconv has no bias on the CPU


def sparse_tensor(features: Tensor, coords: Tensor, shape: Sequence[int], batch_size: int) -> SparseTensor:
    """A float32 sparse tensor of features (V, C) at coordinates (V, 4) batch index, z, y, x in a grid (z, y, x)."""
    # spconv ignores strides, so a transposed tensor such as nonzero()'s would be read as other coordinates
    return SparseTensor(features.float().contiguous(), coords.int().contiguous(), shape, batch_size)


def batch_norm(channels: int) -> nn.BatchNorm1d:
    """Batch normalisation over active sites, with SECOND's eps and momentum."""
    return nn.BatchNorm1d(channels, eps=1e-3, momentum=0.01)


def submanifold_block(in_channels: int, out_channels: int, key: str) -> Block:
    """3x3x3 submanifold convolution (keeps the active sites), normalisation, ReLU.

    Blocks with the same ``key`` share the neighbour table.
    """
    conv = SubMConv3d(in_channels, out_channels, 3, padding=1, bias=False, indice_key=key)
    return Block(conv, batch_norm(out_channels), nn.ReLU())


def strided_block(
    in_channels: int,
    out_channels: int,
    key: str,
    kernel: tuple[int, int, int] = (3, 3, 3),
    stride: tuple[int, int, int] = (2, 2, 2),
    padding: tuple[int, int, int] = (1, 1, 1),
) -> Block:
    """Downsampling sparse convolution, normalisation, ReLU; sizes are in z, y, x order."""
    conv = SparseConv3d(in_channels, out_channels, kernel, stride=stride, padding=padding, bias=False, indice_key=key)
    return Block(conv, batch_norm(out_channels), nn.ReLU())


def use_device(module: nn.Module, device: torch.device) -> None:
    """Set the algorithm of every sparse convolution in ``module`` to one that runs on ``device``."""
    algorithm = ConvAlgo.Native if device.type == "cpu" else ConvAlgo.MaskImplicitGemm
    for layer in module.modules():
        if isinstance(layer, SparseConvolution):
            layer.algo = algorithm
