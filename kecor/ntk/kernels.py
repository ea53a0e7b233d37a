"""Kernels between frames, each known by how it represents a frame and how it compares two representations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from kecor.ntk.frames import RoiFrames
from kecor.ntk.jacobians import factor_sizes, layer_factors
from kecor.ntk.projection import FactorProjection
from kecor.ntk.proxy import ProxyHead

KERNELS = ("ntk", "last_layer", "linear", "rbf", "laplace")
Representation = tuple[Tensor, ...]
"""What a kernel keeps of n frames: tensors (n, P)."""
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
        return sum(p.square().sum(1, dtype=torch.float64) for p in a)


class JacobianNTK(Kernel):
    """Empirical NTK of frames of many RoIs: inner product of the frames' Jacobians, layer by layer."""

    def __init__(self, head: ProxyHead, output: str) -> None:
        self.head, self.output = head, output

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        factors = layer_factors(self.head, x, w, self.output)
        return tuple((d.transpose(1, 2) @ a).flatten(1) for a, d in factors)


class FactorNTK(Kernel):
    """Empirical NTK of frames of one RoI (or of flattened frames): ``sum_l (1 + a_l a_l') (d_l d_l')``."""

    def __init__(self, head: ProxyHead, output: str) -> None:
        self.head, self.output = head, output

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        return tuple(part[:, 0] for pair in layer_factors(self.head, x, w, self.output) for part in pair)

    def gram(self, a: Representation, b: Representation) -> Tensor:
        products = [_products(p, q) for p, q in zip(a, b)]
        return sum(inputs * signals for inputs, signals in zip(products[::2], products[1::2]))

    def diagonal(self, a: Representation) -> Tensor:
        norms = [p.square().sum(1, dtype=torch.float64) for p in a]
        return sum(inputs * signals for inputs, signals in zip(norms[::2], norms[1::2]))


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
        return ((a * d).sum(1),)


class Linear(Kernel):
    """Inner product of the frames' mean features, a one appended."""

    def represent(self, x: Tensor, w: Tensor) -> Representation:
        return (torch.cat([_mean_feature(x, w), w.sum(1, keepdim=True)], 1),)


class Radial(Kernel):
    """``exp(-(r / length)^power)`` of the distance r between mean features: power 2 is ``rbf``, 1 ``laplace``.

    The length is the median distance between the ``labelled`` frames. A frame without RoIs is unlike every other.
    """

    def __init__(self, power: int, labelled: RoiFrames) -> None:
        self.power, self.length = power, 1.0
        features, presence = (
            torch.cat(parts) for parts in zip(*(self.represent(*labelled.read(b)) for b in labelled.blocks()))
        )
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
        return a[1][:, 0].double()


class KernelMatrix:
    """A kernel over a set of frames, whose entries are computed as they are asked for.

    Representations are kept up to ``cache_bytes``; those of further blocks of frames are computed anew each time.
    All numbers are float64 and divided by ``scale``; frames stand in the order of their ids.
    """

    def __init__(self, kernel: Kernel, frames: RoiFrames, scale: float = 1.0, cache_bytes: float = 2**31) -> None:
        self.kernel, self.frames, self.scale = kernel, frames, scale
        self._cache: dict[int, Representation] = {}
        self._free = cache_bytes

    def diagonal(self) -> np.ndarray:
        """(N,) of each frame with itself."""
        parts = [self.kernel.diagonal(rep).cpu().numpy() for _, rep in self._blocks()]
        return np.concatenate([np.zeros(0), *parts]) / self.scale

    def column(self, j: int) -> np.ndarray:
        """(N,) of every frame with frame ``j``."""
        row = self.kernel.represent(*self.frames.read([j]))
        parts = [self.kernel.gram(rep, row)[:, 0].cpu().numpy() for _, rep in self._blocks()]
        return np.concatenate(parts) / self.scale

    def cross(self, other: KernelMatrix) -> np.ndarray:
        """(N, M) of every frame with every frame of ``other``, the smaller set."""
        result = np.empty((len(self.frames), len(other.frames)))
        for rows, rep in self._blocks():
            for columns, other_rep in other._blocks():
                result[rows, columns] = self.kernel.gram(rep, other_rep).cpu().numpy()
        return result / self.scale

    def _blocks(self) -> Iterator[tuple[slice, Representation]]:
        for rows in self.frames.blocks():
            rep = self._cache.get(rows.start)
            if rep is None:
                rep = self.kernel.represent(*self.frames.read(rows))
                size = sum(part.numel() * part.element_size() for part in rep)
                if size <= self._free:
                    self._cache[rows.start] = rep
                    self._free -= size
            yield rows, rep


def build_kernel(
    name: str,
    labelled: RoiFrames,
    head: ProxyHead | None = None,
    output: str = "sum",
    rank: int | None = None,
    generator: torch.Generator | None = None,
) -> Kernel:
    """The kernel called ``name`` (one of :data:`KERNELS`); ``ntk`` and ``last_layer`` need the fitted ``head``.

    ``rank`` projects the ``ntk`` to so many dimensions by signs drawn from ``generator``.
    """
    if name == "ntk":
        if rank is not None:
            return ProjectedNTK(head, output, rank, generator)
        return FactorNTK(head, output) if labelled.n_rois == 1 else JacobianNTK(head, output)
    if name == "last_layer":
        return LastLayer(head, output)
    return Linear() if name == "linear" else Radial(2 if name == "rbf" else 1, labelled)


def _mean_feature(x: Tensor, w: Tensor) -> Tensor:
    return (w[:, None] @ x)[:, 0]


def _products(a: Tensor, b: Tensor) -> Tensor:
    """(n, m) float64 inner products of the rows of ``a`` (n, P) and ``b`` (m, P)."""
    return sum((p @ q.T).double() for p, q in zip(a.split(SEGMENT, 1), b.split(SEGMENT, 1)))
