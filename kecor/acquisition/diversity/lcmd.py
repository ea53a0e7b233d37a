"""LCMD: largest cluster, maximum distance, in the feature space of a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from kecor.acquisition.base import affordable, empty_selection, take_picks
from kecor.acquisition.diversity.distances import Cover, Distances, VectorDistances
from kecor.coding_rate import TWIN_DISTANCE
from kecor.errors import SelectionError
from kecor.ntk import KernelOptions, PoolKernel, RoiFrames, diagnostics, frame_kernel
from kecor.progress import progress_bar
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("lcmd")
class LCMD:
    """Largest cluster, maximum distance (Holzmueller, Zaverkin, Kaestner and Steinwart, "A framework and benchmark for
    deep batch active learning for regression", JMLR 2023; LCMD-TP with a sketched gradient kernel).

    Labelled frames and picks are cluster centres; every pool frame belongs to its nearest centre. The size of a cluster
    is the sum of squared distances of its frames to the centre. Each step picks the frame of the largest cluster that
    is farthest from its centre, and makes it a centre. The squared distance is the kernel's,
    ``k(i, i) + k(j, j) - 2 k(i, j)``.

    Differences from the paper:

    - The gradients are those of KECOR's proxy head, fitted on the labelled frames, not of the detector itself.
    - The sketch is :class:`~kecor.ntk.projection.FactorProjection`.
    - Frames that cost more than the whole budget count towards cluster sizes but are never picked.
    - Copies of a centre and frames without RoIs come last.

    Args:
        kernel: the kernel between frames: attributes of :class:`~kecor.ntk.options.KernelOptions` by name, or its type
            alone. Two defaults are the paper's: ``rank`` 512, the dimension of the gradient sketch, and ``normalise``
            false. With ``rank: null`` the kernel is exact, but the representations of the whole pool are computed again
            for every pick.

    Raises:
        ConfigError: an argument is out of range.
    """

    needs = frozenset({"roi_features"})
    terms: ClassVar = diagnostics.TERMS

    def __init__(self, kernel: str | Mapping[str, Any] = "ntk") -> None:
        self.options = KernelOptions.of(kernel, rank=512, normalise=False)

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. A proxy head needs ``targets`` in ``labelled``.

        The gain of a pick is its distance to the nearest centre when it was picked; the score of a frame is its
        distance to the nearest labelled frame. Both are in units of the root mean kernel diagonal of the labelled
        frames.

        Raises:
            SelectionError: features or targets are missing, have a wrong shape or are not finite, or the proxy head
                diverged or learned nothing.
        """
        if len(pool) == 0:
            return empty_selection()
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        order, scores = np.argsort(pool.ids), np.empty(len(pool))
        costs = budget.costs(pool.n_boxes())[order]
        try:
            kernel, fit = frame_kernel(pool, labelled, self.options, generator)
            known = RoiFrames(
                labelled, self.options.arrangement, kernel.pool.scaling, kernel.pool.dtype, self.options.device
            )
            cover = Cover(self._distances(kernel, known), _has_rois(kernel.pool))
        except SelectionError as error:
            raise SelectionError(f"lcmd: {error}") from error
        scores[order] = np.sqrt(cover.near)
        picks = cover.picks(affordable(costs, budget), lambda new: _farthest_of_largest(cover, new))
        taken, gains = take_picks(picks, costs, budget)
        return Selection(order[taken], gains, scores, diagnostics.fit_info(fit))

    def _distances(self, kernel: PoolKernel, known: RoiFrames) -> Distances:
        """Distances from explicit vectors where the kernel is an inner product of short ones, else from its columns."""
        options = self.options
        has_vectors = options.type in ("linear", "last_layer") or (options.type == "ntk" and options.rank is not None)
        if not has_vectors:
            return KernelDistances(kernel, _has_rois(known))
        vectors, known_vectors = (_vectors(kernel, frames, options.normalise) for frames in (kernel.pool, known))
        return VectorDistances(vectors, known_vectors[torch.from_numpy(_has_rois(known))])


class KernelDistances:
    """:class:`Distances` in the feature space of a kernel, computed column by column.

    Args:
        kernel: between the pool and the labelled frames.
        chosen: (L,) bool: the labelled frames to measure from.
    """

    def __init__(self, kernel: PoolKernel, chosen: np.ndarray) -> None:
        self.kernel, self.chosen, self.n_conditioning = kernel, chosen, len(chosen)
        self.diagonal = np.zeros(len(kernel))
        self.parts: list[np.ndarray] = []

    def known(self) -> Iterator[tuple[slice, np.ndarray]]:
        norms = np.diag(self.kernel.known)[self.chosen]
        for positions, diagonal, cross in self.kernel.scan():
            self.diagonal[positions] = diagonal
            self.parts.append(positions)
            part = slice(int(positions[0]), int(positions[-1]) + 1)
            yield part, _squared_distances(diagonal[:, None], norms, cross[:, self.chosen])

    def column(self, j: int) -> np.ndarray:
        self.kernel.condition_on(j)
        cross = np.concatenate([self.kernel.cross(part, self.n_conditioning)[:, 0] for part in self.parts])
        self.n_conditioning += 1
        return _squared_distances(self.diagonal, self.diagonal[j], cross)


def _squared_distances(norms: np.ndarray, others: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """``k(i, i) + k(j, j) - 2 k(i, j)``; differences within rounding error are set to 0."""
    squared = norms + others - 2 * cross
    return np.where(squared <= TWIN_DISTANCE * np.maximum(norms, others), 0.0, squared)


def _vectors(kernel: PoolKernel, frames: RoiFrames, normalise: bool) -> Tensor:
    """(N, P) vectors, in the order of the frame ids, whose inner products are the kernel."""
    parts = []
    with progress_bar("kernel", len(frames), "frame", delay=3.0) as bar:
        for chunk in frames.chunks(np.arange(len(frames))):
            vectors = torch.cat(kernel.kernel.represent(*frames.read(chunk)), 1).cpu()
            if not vectors.isfinite().all():
                frames.check(chunk)  # names the frame if its features are the cause
                raise SelectionError("the kernel of a frame is not finite; are its features extremely large?")
            norms = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
            parts.append(vectors / (torch.where(norms > 0, norms, 1.0) if normalise else kernel.scale**0.5))
            bar.update(len(chunk))
    return torch.cat(parts)


def _has_rois(frames: RoiFrames) -> np.ndarray:
    """(N,) bool, in the order of the frame ids."""
    return np.asarray(frames.mask[frames.order].any(1))


def _farthest_of_largest(cover: Cover, candidates: np.ndarray) -> int:
    """The candidate, of the ``candidates`` (N,) bool, farthest from the centre of the largest cluster that has one."""
    sizes = np.bincount(cover.owner, weights=cover.near, minlength=cover.n_centres)[cover.owner]
    in_largest = candidates & (sizes == sizes[candidates].max())
    return int(np.argmax(np.where(in_largest, cover.near, -np.inf)))
