"""Sparse convolution blocks: the one place that knows spconv.

spconv fixes a convolution's algorithm when it is built, but only ``Native`` runs on a CPU. Blocks are therefore built
with spconv's default and :func:`use_device` sets what the device needs before each forward pass. The layout of the
weights, (out, kz, ky, kx, in), is the same for both.
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
    warnings.simplefilter("ignore", FutureWarning)  # spconv still says torch.cuda.amp.custom_fwd
    from spconv.core import ConvAlgo
    from spconv.pytorch import SparseConv3d, SubMConv3d
    from spconv.pytorch import SparseConvTensor as SparseTensor
    from spconv.pytorch import SparseSequential as Sequential
    from spconv.pytorch.conv import SparseConvolution

logging.getLogger("torch.fx._symbolic_trace").addFilter(  # advice to spconv's authors, not to ours or to users
    lambda record: "is_fx_tracing" not in record.getMessage()
)


class Block(Sequential):
    """A sparse convolution without bias, batch normalisation over active sites, ReLU; one step in eval mode."""

    def forward(self, x: SparseTensor) -> SparseTensor:
        """The sparse tensor that comes out."""
        if self.training:
            return super().forward(x)
        conv, norm, _ = self
        weight, bias = fold(conv.weight, norm)
        x = functional_call(conv, {"weight": weight}, (x,))
        return x.replace_feature(x.features.add_(bias).relu_())  # on a CPU, spconv takes no bias


def sparse_tensor(features: Tensor, coords: Tensor, shape: Sequence[int], batch_size: int) -> SparseTensor:
    """Features (V, C) at coordinates (V, 4) batch, z, y, x of a grid of ``shape`` (z, y, x); float32."""
    # spconv reads the memory as it lies and would take a transposed layout, such as nonzero()'s, for other coordinates
    return SparseTensor(features.float().contiguous(), coords.int().contiguous(), shape, batch_size)


def batch_norm(channels: int) -> nn.BatchNorm1d:
    """Batch normalisation over active sites, with SECOND's constants."""
    return nn.BatchNorm1d(channels, eps=1e-3, momentum=0.01)


def submanifold_block(in_channels: int, out_channels: int, key: str) -> Block:
    """3x3x3 submanifold convolution (active sites stay the same), normalisation, ReLU.

    Blocks that share ``key`` share the neighbour table.
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
    """Sparse convolution that downsamples (sizes in z, y, x order), normalisation, ReLU."""
    conv = SparseConv3d(in_channels, out_channels, kernel, stride=stride, padding=padding, bias=False, indice_key=key)
    return Block(conv, batch_norm(out_channels), nn.ReLU())


def use_device(module: nn.Module, device: torch.device) -> None:
    """Give every sparse convolution in ``module`` the algorithm that runs on ``device``."""
    algorithm = ConvAlgo.Native if device.type == "cpu" else ConvAlgo.MaskImplicitGemm
    for layer in module.modules():
        if isinstance(layer, SparseConvolution):
            layer.algo = algorithm
