"""Kernels between frames. Each defines how a frame is represented and how two representations are compared."""

from __future__ import annotations

import operator
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from kecor.ntk.jacobians import factor_sizes, layer_factors
from kecor.ntk.projection import FactorProjection
from kecor.ntk.proxy import ProxyHead
from kecor.ntk.roi_frames import RoiFrames

KERNELS = ("ntk", "last_layer", "linear", "rbf", "laplace")
Representation = tuple[Tensor, ...]
"""The representation of n frames: tensors (n, P)."""
SEGMENT = 16384
"""Inner products are accumulated in float32 over this many terms (error about 1e-7), then in float64."""


class Kernel:
    """Inner product of representations; subclasses define the representation."""

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        """The representation of n frames with RoI features ``x`` (n, R, C) and RoI weights ``w`` (n, R)."""
        raise NotImplementedError

    def gram(self, a: Representation, b: Representation) -> Tensor:
        """(n, m) float64 kernel between n and m frames."""
        return reduce(operator.add, [_products(p, q) for p, q in zip(a, b)])

    def diagonal(self, a: Representation) -> Tensor:
        """(n,) float64 kernel of each frame with itself."""
        return reduce(operator.add, [_norms(p) for p in a])


class JacobianNTK(Kernel):
    """Empirical NTK ``K(i, j) = sum_l <J_l(i), J_l(j)>`` (Jacot et al., NeurIPS 2018) for frames of several RoIs.

    A frame's Jacobian ``J_l = sum_r d_r a_r^T`` is formed explicitly: comparing factors instead would take R x R
    products per pair of frames, about a hundred times as much work.
    """

    def __init__(self, head: ProxyHead, output: str) -> None:
        self.head, self.output = head, output

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        factors = layer_factors(self.head, x, w, self.output)
        weights = [(d.transpose(1, 2) @ a).flatten(1) for a, d in factors]  # df/dW_l = sum_r d_r a_r^T
        return *weights, *(d.sum(1) for _, d in factors)  # df/db_l = sum_r d_r


class FactorNTK(Kernel):
    """Empirical NTK for frames of one RoI, or flattened frames, without forming Jacobians.

    ``<d a^T, d' a'^T> + <d, d'> = (1 + a.a') (d.d')`` for each layer.
    """

    def __init__(self, head: ProxyHead, output: str) -> None:
        self.head, self.output = head, output

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        return tuple(part[:, 0] for pair in layer_factors(self.head, x, w, self.output) for part in pair)

    def gram(self, a: Representation, b: Representation) -> Tensor:
        return _per_layer([_products(p, q) for p, q in zip(a, b)])

    def diagonal(self, a: Representation) -> Tensor:
        return _per_layer([_norms(p) for p in a])


class ProjectedNTK(Kernel):
    """Empirical NTK of Jacobians projected to ``rank`` values per frame."""

    def __init__(self, head: ProxyHead, output: str, rank: int, generator: torch.Generator) -> None:
        self.head, self.output = head, output
        self.projection = FactorProjection(factor_sizes(head, output), rank, generator)

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        return (self.projection(layer_factors(self.head, x, w, self.output)),)


class LastLayer(Kernel):
    """Inner product of the last layer's Jacobians: the frames' mean inputs to that layer, with a 1 for the bias."""

    def __init__(self, head: ProxyHead, output: str) -> None:
        self.head, self.output = head, output

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        a, d = layer_factors(self.head, x, w, self.output)[-1]
        return (a * d).sum(1), d.sum(1)


class Linear(Kernel):
    """Inner product of the frames' mean RoI features, with a 1 appended."""

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        return _mean_feature(x, w), w.sum(1, keepdim=True)


class Radial(Kernel):
    """``exp(-(r / length)^power)`` of the distance r between mean RoI features; power 2 is ``rbf``, 1 is ``laplace``.

    The length is the median distance between the labelled frames. A frame without RoIs has kernel 0 with all others.
    """

    def __init__(self, power: int, labelled: RoiFrames) -> None:
        self.power, self.length = power, 1.0
        features, has_rois = represent_all(self, labelled, np.arange(len(labelled)))
        features = features[has_rois[:, 0] > 0].double()
        distances = torch.pdist(features) if len(features) > 1 else features.new_zeros(0)
        distances = distances[distances > 0]
        self.length = distances.median().item() if len(distances) else 1.0

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        return _mean_feature(x, w), (w.sum(1, keepdim=True) > 0).to(w)

    def gram(self, a: Representation, b: Representation) -> Tensor:
        distance = torch.cdist(a[0].double(), b[0].double(), compute_mode="donot_use_mm_for_euclid_dist")
        return torch.exp(-((distance / self.length) ** self.power)) * (a[1].double() @ b[1].double().T)

    def diagonal(self, a: Representation) -> Tensor:
        zero_or_nan = (a[0] - a[0]).sum(1)  # makes a feature that is not finite show up as NaN
        return (a[1][:, 0] + zero_or_nan).double()


def build_kernel(
    name: str,
    labelled: RoiFrames,
    head: ProxyHead | None = None,
    output: str = "sum",
    rank: int | None = None,
    generator: torch.Generator | None = None,
) -> Kernel:
    """Build a kernel by name.

    Args:
        name: one of :data:`KERNELS`.
        labelled: the labelled frames; they set the length scale of ``rbf`` and ``laplace``.
        head: the fitted proxy head of ``ntk`` and ``last_layer``.
        output: ``sum`` or ``full``; see :func:`~kecor.ntk.jacobians.layer_factors`.
        rank: dimension of a random projection of the ``ntk``, drawn from ``generator``; None for the exact kernel.
        generator: a CPU generator, needed with ``rank``.
    """
    if name == "linear":
        return Linear()
    if name in ("rbf", "laplace"):
        return Radial(2 if name == "rbf" else 1, labelled)
    if head is None:
        raise ValueError(f"kernel {name!r} needs a fitted proxy head")
    if name == "last_layer":
        return LastLayer(head, output)
    if rank is None:
        return FactorNTK(head, output) if labelled.n_rois == 1 else JacobianNTK(head, output)
    if generator is None:
        raise ValueError("a projected kernel needs a generator")
    return ProjectedNTK(head, output, rank, generator)


def represent_all(kernel: Kernel, frames: RoiFrames, positions: np.ndarray) -> Representation:
    """The representation of the frames at ``positions``, computed in chunks."""
    parts = [kernel.represent(*frames.read(chunk)) for chunk in frames.chunks(positions)]
    return tuple(torch.cat(columns) for columns in zip(*parts))


def _per_layer(products: list[Tensor]) -> Tensor:
    """``sum_l (1 + a_l.a_l') (d_l.d_l')`` from the products ``[a_1.a_1', d_1.d_1', a_2.a_2', ...]``."""
    return reduce(operator.add, [(1 + inputs) * signals for inputs, signals in zip(products[::2], products[1::2])])


def _mean_feature(x: Tensor, w: Tensor) -> Tensor:
    return (w[:, None] @ x)[:, 0]


def _products(a: Tensor, b: Tensor) -> Tensor:
    """(n, m) float64 inner products of the rows of ``a`` (n, P) and ``b`` (m, P)."""
    return reduce(operator.add, [(p @ q.T).double() for p, q in zip(a.split(SEGMENT, 1), b.split(SEGMENT, 1))])


def _norms(a: Tensor) -> Tensor:
    """(n,) float64 squared norms of the rows of ``a`` (n, P)."""
    return reduce(operator.add, [torch.linalg.vecdot(p, p).double() for p in a.split(SEGMENT, 1)])
