"""How evenly the boxes of a set of frames cover a range of point densities, and greedy maximisation of it.

The kernel density estimate of a set of boxes, on a grid, is a mean of Gaussian kernels. The kernel sum of each frame is
computed once, so evaluating a candidate takes one addition and one logarithm per grid point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kecor.acquisition.diversity.duplicates import Copies
from kecor.errors import SelectionError
from kecor.structures import Detections, FrameSet

GRID = 400
"""Number of grid points per class."""
FLOOR = np.finfo(np.float64).tiny
"""Lower limit of density estimates, which may underflow to 0."""
TIE = 1e-9
"""Scores that differ by less than this count as equal."""


def box_densities(frames: FrameSet) -> list[np.ndarray]:
    """LiDAR points per cubic metre in each box: one (K_i,) float64 array per frame.

    Raises:
        SelectionError: a frame's boxes have no ``n_points`` or are not (K, 7), or a density is not finite.
    """
    return [_densities(found, str(frame_id)) for frame_id, found in zip(frames.ids, frames.detections)]


def _densities(found: Detections, frame_id: str) -> np.ndarray:
    if not len(found):
        return np.zeros(0)
    if found.n_points is None:
        raise SelectionError(f"frame {frame_id!r}: its detections carry no 'n_points', the LiDAR points in each box")
    boxes = np.asarray(found.boxes, np.float64)
    if boxes.shape[1] != 7:
        raise SelectionError(f"frame {frame_id!r}: its boxes must be (K, 7), got {boxes.shape}; densities need volumes")
    volumes = boxes[:, 3:6].prod(1)
    densities = np.asarray(found.n_points, np.float64) / np.where(volumes > 0, volumes, np.nan)
    if not np.isfinite(densities).all():
        raise SelectionError(
            f"frame {frame_id!r}: the number of points of a box is not finite or its volume is not above 0"
        )
    return densities


@dataclass(frozen=True)
class DensityPrior:
    """Uniform distributions of point density, one for each of K classes.

    Attributes:
        classes: (K,) labels of the classes whose densities vary.
        low, high: (K,) range of each distribution, points per cubic metre.
        bandwidth: (K,) standard deviation of the Gaussian kernels.
    """

    classes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    bandwidth: np.ndarray

    def grid(self) -> np.ndarray:
        """(K, GRID) midpoints of equal parts of each range."""
        return self.low[:, None] + (self.high - self.low)[:, None] * (np.arange(GRID) + 0.5) / GRID


def uniform_prior(
    densities: np.ndarray, labels: np.ndarray, alpha: float, candidates: np.ndarray, bandwidth: float | None
) -> DensityPrior:
    """The prior of each class: uniform between the ``1 - alpha`` and ``alpha`` quantiles of its densities.

    Args:
        densities, labels: (B,) of all boxes of the pool.
        alpha: above 0.5 and at most 1.
        candidates: labels of the boxes from which densities will be estimated.
        bandwidth: for all classes. None uses Scott's rule (1992): the standard deviation of the prior times
            ``n^(-1/5)``, with the number n of candidates of the class, independent of the picks.
    """
    rows = []
    for label in np.unique(labels):
        low, high = np.quantile(densities[labels == label], [1 - alpha, alpha])
        std = (high - low) / np.sqrt(12)  # of a uniform distribution
        scott = std * max(1, (candidates == label).sum()) ** -0.2
        if high - low > 1e-9 * max(1.0, high):
            rows.append((label, low, high, scott if bandwidth is None else bandwidth))
    columns = np.array(rows, np.float64).reshape(-1, 4).T
    return DensityPrior(columns[0].astype(np.int64), *columns[1:])


def kernel_sums(
    densities: list[np.ndarray], labels: list[np.ndarray], prior: DensityPrior
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of Gaussian kernels (M, K, GRID) and numbers of boxes (M, K) of each class, for M frames."""
    grid = prior.grid()
    sums, counts = np.zeros((len(densities), *grid.shape)), np.zeros((len(densities), len(grid)))
    for i, (frame_densities, frame_labels) in enumerate(zip(densities, labels)):
        for k, label in enumerate(prior.classes):
            values = frame_densities[frame_labels == label]
            width = prior.bandwidth[k]
            kernels = np.exp(-0.5 * np.square((grid[k] - values[:, None]) / width)) / (width * np.sqrt(2 * np.pi))
            sums[i, k], counts[i, k] = kernels.sum(0), len(values)
    return sums, counts


def evenness(sums: np.ndarray, counts: np.ndarray, prior: DensityPrior) -> np.ndarray:
    """(...,) from 0 to 1: ``1 - 2/pi arctan(pi/2 KL(prior || estimate))``, averaged over classes.

    A class without boxes contributes 0. The divergence is integrated over the range of the prior with the midpoint
    rule: ``KL = -log(high - low) - mean log(estimate)``.

    Args:
        sums: (..., K, GRID) kernel sums.
        counts: (..., K) numbers of boxes.
        prior: the K uniform distributions.
    """
    if not len(prior.classes):
        return np.zeros(counts.shape[:-1])
    estimate = np.maximum(sums / np.maximum(counts, 1)[..., None], FLOOR)
    divergence = -np.log(prior.high - prior.low) - np.log(estimate).mean(-1)
    closeness = 1 - 2 / np.pi * np.arctan(np.pi / 2 * divergence)
    return np.where(counts > 0, closeness, 0.0).mean(-1)


def balance(sums: np.ndarray, counts: np.ndarray, prior: DensityPrior, copies: Copies) -> Iterator[tuple[int, float]]:
    """Frames in greedy order with the increase of :func:`evenness` that each brings.

    The first of equal ones wins.

    Args:
        sums, counts: (M, K, GRID) and (M, K) of the candidates.
        prior: the K uniform distributions.
        copies: of the candidates; marked ones come last.
    """
    left = np.ones(len(counts), bool)
    total, number, before = np.zeros(sums.shape[1:]), np.zeros(counts.shape[1:]), 0.0
    while left.any():
        rows = np.flatnonzero(copies.not_copies(left))
        scores = evenness(sums[rows] + total, counts[rows] + number, prior)
        place = int(np.flatnonzero(scores >= scores.max() - TIE)[0])
        best, score = int(rows[place]), float(scores[place])
        yield best, score - before
        left[best] = False
        copies.mark(copies.vectors[best])
        total, number, before = total + sums[best], number + counts[best], score
