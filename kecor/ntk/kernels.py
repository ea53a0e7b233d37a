"""Kernels between frames, each known by how it represents a frame and how it compares two representations."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kecor.ntk.jacobians import factor_sizes, layer_factors
from kecor.ntk.projection import FactorProjection
from kecor.ntk.proxy import ProxyHead
from kecor.ntk.roi_frames import RoiFrames

KERNELS = ("ntk", "last_layer", "linear", "rbf", "laplace")
Representation = tuple[Tensor, ...]
"""What a kernel compares of n frames: tensors (n, P)."""
SEGMENT = 16384
"""Single-precision products are summed over so many terms, to about 1e-7, before they go on in double precision."""


class Kernel:
    """An inner product of representations; subclasses say of what."""

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        """The representation of frames ``x`` (n, R, C) with RoI weights ``w`` (n, R)."""
        raise NotImplementedError

    def gram(self, a: Representation, b: Representation) -> Tensor:
        """(n, m) float64 kernel between n and m frames."""
        return sum(_products(p, q) for p, q in zip(a, b))

    def diagonal(self, a: Representation) -> Tensor:
        """(n,) float64 kernel of each frame with itself."""
        return sum(_norms(p) for p in a)


class JacobianNTK(Kernel):
    """Empirical NTK of frames of many RoIs: inner product of the frames' Jacobians, layer by layer.

    Between two frames of R RoIs the layers' factors alone would take R x R products; the sum of a frame's R outer
    products takes a hundredth of that. It is formed for the frames in hand and kept for the observed ones alone.
    """

    def __init__(self, head: ProxyHead, output: str) -> None:
        self.head, self.output = head, output

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        factors = layer_factors(self.head, x, w, self.output)
        weights = [(d.transpose(1, 2) @ a).flatten(1) for a, d in factors]
        return *weights, *(d.sum(1) for _, d in factors)


class FactorNTK(Kernel):
    """Empirical NTK of frames of one RoI (or of flattened frames): ``sum_l (1 + a_l a_l') (d_l d_l')``."""

    def __init__(self, head: ProxyHead, output: str) -> None:
        self.head, self.output = head, output

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        return tuple(part[:, 0] for pair in layer_factors(self.head, x, w, self.output) for part in pair)

    def gram(self, a: Representation, b: Representation) -> Tensor:
        products = [_products(p, q) for p, q in zip(a, b)]
        return sum((1 + inputs) * signals for inputs, signals in zip(products[::2], products[1::2]))

    def diagonal(self, a: Representation) -> Tensor:
        norms = [_norms(p) for p in a]
        return sum((1 + inputs) * signals for inputs, signals in zip(norms[::2], norms[1::2]))


class ProjectedNTK(Kernel):
    """Empirical NTK by a random projection of the Jacobians to ``rank`` values a frame."""

    def __init__(self, head: ProxyHead, output: str, rank: int, generator: torch.Generator) -> None:
        self.head, self.output = head, output
        self.projection = FactorProjection(factor_sizes(head, output), rank, generator)

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        return (self.projection(layer_factors(self.head, x, w, self.output)),)


class LastLayer(Kernel):
    """Inner product of the last layer's Jacobians alone: of the frames' mean inputs to it, a one appended."""

    def __init__(self, head: ProxyHead, output: str) -> None:
        self.head, self.output = head, output

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        a, d = layer_factors(self.head, x, w, self.output)[-1]
        return (a * d).sum(1), d.sum(1)


class Linear(Kernel):
    """Inner product of the frames' mean features, a one appended."""

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        return _mean_feature(x, w), w.sum(1, keepdim=True)


class Radial(Kernel):
    """``exp(-(r / length)^power)`` of the distance r between mean features: power 2 is ``rbf``, 1 ``laplace``.

    The length is the median distance between the ``labelled`` frames. A frame without RoIs is unlike every other.
    """

    def __init__(self, power: int, labelled: RoiFrames) -> None:
        self.power, self.length = power, 1.0
        features, presence = represent_all(self, labelled, np.arange(len(labelled)))
        features = features[presence[:, 0] > 0].double()
        apart = torch.pdist(features) if len(features) > 1 else features.new_zeros(0)
        apart = apart[apart > 0]
        self.length = apart.median().item() if len(apart) else 1.0

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        return _mean_feature(x, w), (w.sum(1, keepdim=True) > 0).to(w)

    def gram(self, a: Representation, b: Representation) -> Tensor:
        distance = torch.cdist(a[0].double(), b[0].double(), compute_mode="donot_use_mm_for_euclid_dist")
        return torch.exp(-((distance / self.length) ** self.power)) * (a[1].double() @ b[1].double().T)

    def diagonal(self, a: Representation) -> Tensor:
        distance = (a[0] - a[0]).sum(1)  # zero, but NaN where a feature is not finite
        return (a[1][:, 0] + distance).double()


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
    """The representation of the frames at ``positions``, read in chunks."""
    parts = [kernel.represent(*frames.read(chunk)) for chunk in frames.chunks(positions)]
    return tuple(torch.cat(columns) for columns in zip(*parts))


def _mean_feature(x: Tensor, w: Tensor) -> Tensor:
    return (w[:, None] @ x)[:, 0]


def _products(a: Tensor, b: Tensor) -> Tensor:
    """(n, m) float64 inner products of the rows of ``a`` (n, P) and ``b`` (m, P)."""
    return sum((p @ q.T).double() for p, q in zip(a.split(SEGMENT, 1), b.split(SEGMENT, 1)))


def _norms(a: Tensor) -> Tensor:
    """(n,) float64 inner products of the rows of ``a`` (n, P) with themselves."""
    return sum(torch.linalg.vecdot(p, p).double() for p in a.split(SEGMENT, 1))
