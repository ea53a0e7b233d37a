"""Frames that split the largest clusters around what is labelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kecor.acquisition.base import take_picks, within
from kecor.acquisition.diversity.distances import Cover, Distances, VectorDistances
from kecor.coding_rate import TWIN_DISTANCE
from kecor.errors import SelectionError
from kecor.ntk import KernelOptions, ObservedKernel, RoiFrames, diagnostics
from kecor.ntk import build as frame_kernel
from kecor.progress import progress_bar
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("lcmd")
class LCMD:
    """Largest cluster, maximum distance: each pool frame belongs to the nearest centre, of the labelled frames and the
    picks; a cluster is as large as the sum of its frames' squared distances to the centre; the frame farthest from the
    centre of the largest cluster is picked and becomes a centre (Holzmueller, Zaverkin, Kaestner and Steinwart, "A
    framework and benchmark for deep batch active learning for regression", JMLR 2023; there LCMD-TP with sketched
    gradient kernel). Distances are those of the kernel: ``k(i, i) + k(j, j) - 2 k(i, j)``.

    Deviations: the network whose gradients are the kernel is the proxy head of KECOR, fitted on the labelled frames,
    not the detector; the sketch is that of :class:`~kecor.ntk.projection.FactorProjection`; frames that cost more than
    the whole budget count in the clusters but are not picked; copies of centres and frames without RoIs come last.

    Args:
        rank: values a frame's gradient is projected to, 512 in the paper: each frame is then represented once. None
            keeps the kernel exact, at the price of representing the whole pool again for every pick.
        normalise: compare gradients by their direction alone; the paper compares them as they are.
        kernel, standardise, steps, learning_rate, batch_size, require_convergence, device: as
            :class:`~kecor.ntk.build.KernelOptions` has them.
    """

    needs = frozenset({"roi_features"})
    terms: ClassVar = diagnostics.TERMS

    def __init__(
        self,
        kernel: str = "ntk",
        rank: int | None = 512,
        normalise: bool = False,
        standardise: bool = True,
        steps: int = 200,
        learning_rate: float = 1e-3,
        batch_size: int = 512,
        require_convergence: bool = True,
        device: str = "cpu",
    ) -> None:
        self.options = KernelOptions(
            kernel=kernel,
            rank=rank,
            normalise=normalise,
            standardise=standardise,
            steps=steps,
            learning_rate=learning_rate,
            batch_size=batch_size,
            require_convergence=require_convergence,
            device=device,
        )

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. A proxy head needs ``targets`` in ``labelled``.

        Gains are distances to the nearest centre when picked, scores those to the nearest labelled frame, in units of
        the labelled frames' root mean kernel with themselves.
        """
        if not len(pool):
            return Selection(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        order, scores = np.argsort(pool.ids), np.empty(len(pool))
        costs = budget.costs(pool.n_boxes())[order]
        try:
            kernel, fit = frame_kernel(pool, labelled, self.options, generator)
            known = RoiFrames(labelled, scaling=kernel.pool.scaling, device=self.options.device)
            cover = Cover(self._distances(kernel, known), _has_rois(kernel.pool))
        except SelectionError as error:
            raise SelectionError(f"lcmd: {error}") from error
        scores[order] = np.sqrt(cover.near)
        picks = cover.picks(within(costs, budget.amount, budget), lambda fresh: _farthest_of_largest(cover, fresh))
        taken, gains = take_picks(picks, costs, budget)
        return Selection(order[taken], gains, scores, diagnostics.fit_info(fit))

    def _distances(self, kernel: ObservedKernel, known: RoiFrames) -> Distances:
        is_product = self.options.kernel in ("linear", "last_layer")
        if not is_product and (self.options.kernel != "ntk" or self.options.rank is None):
            return KernelDistances(kernel, _has_rois(known))
        vectors = [_vectors(kernel, frames, self.options.normalise) for frames in (kernel.pool, known)]
        return VectorDistances(vectors[0], vectors[1][torch.from_numpy(_has_rois(known))])


class KernelDistances:
    """Distances in the feature space of a kernel whose columns are computed on demand.

    Args:
        kernel: between the frames and the known ones.
        chosen: (L,) bool, the known frames to measure from.
    """

    def __init__(self, kernel: ObservedKernel, chosen: np.ndarray) -> None:
        self.kernel, self.chosen, self.n_observed = kernel, chosen, len(chosen)
        self.diagonal = np.zeros(len(kernel))
        self.parts: list[np.ndarray] = []

    def known(self) -> Iterator[tuple[slice, np.ndarray]]:
        norms = np.diag(self.kernel.known)[self.chosen]
        for positions, diagonal, cross in self.kernel.first_look():
            self.diagonal[positions] = diagonal
            self.parts.append(positions)
            yield slice(positions[0], positions[-1] + 1), _squared(diagonal[:, None], norms, cross[:, self.chosen])

    def column(self, j: int) -> np.ndarray:
        self.kernel.observe(j)
        cross = np.concatenate([self.kernel.cross(part, self.n_observed)[:, 0] for part in self.parts])
        self.n_observed += 1
        return _squared(self.diagonal, self.diagonal[j], cross)


def _squared(norms: np.ndarray, others: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """Squared distances from inner products; below what rounding leaves of the norms they are 0."""
    squared = norms + others - 2 * cross
    return np.where(squared <= TWIN_DISTANCE * np.maximum(norms, others), 0.0, squared)


def _vectors(kernel: ObservedKernel, frames: RoiFrames, normalise: bool) -> Tensor:
    """(N, P) representations of frames, in the order of their ids, whose inner products are the kernel."""
    parts = []
    with progress_bar("kernel", len(frames), "frame", delay=3.0) as bar:
        for chunk in frames.chunks(np.arange(len(frames))):
            vectors = torch.cat(kernel.kernel.represent(*frames.read(chunk)), 1).cpu()
            if not vectors.isfinite().all():
                frames.check(chunk)
                raise SelectionError("a frame's gradient is not finite")
            norms = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
            parts.append(vectors / (torch.where(norms > 0, norms, 1.0) if normalise else kernel.scale**0.5))
            bar.update(len(chunk))
    return torch.cat(parts)


def _has_rois(frames: RoiFrames) -> np.ndarray:
    """(N,) bool, in the order of the ids."""
    return frames.mask[frames.order].any(1)


def _farthest_of_largest(cover: Cover, fresh: np.ndarray) -> int:
    """The frame, of those that are ``fresh``, farthest from the centre of the largest cluster that holds one."""
    sizes = np.bincount(cover.owner, weights=cover.near, minlength=cover.n_centres)[cover.owner]
    largest = fresh & (sizes == sizes[fresh].max())
    return int(np.argmax(np.where(largest, cover.near, -np.inf)))
