"""How evenly a set of frames covers the point densities of objects: kernel density estimates that grow by addition.

The density of a set's boxes at a place of a grid is a mean of kernels around them, so that the sums of each frame's
kernels are computed once, and a candidate costs one addition and one logarithm a place: nothing is fitted again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kecor.acquisition.diversity.duplicates import Copies
from kecor.errors import SelectionError
from kecor.structures import Detections, FrameSet

GRID = 400
"""Places at which densities are compared."""
FLOOR = np.finfo(np.float64).tiny
"""Estimates below are taken as this: they have underflown."""
TIE = 1e-9
"""Scores that differ by less are the same but for rounding."""


def box_densities(frames: FrameSet) -> list[np.ndarray]:
    """The LiDAR points per cubic metre of each frame's boxes, (K_i,) float64 each.

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
        raise SelectionError(f"frame {frame_id!r}: its boxes must be (K, 7), got {boxes.shape}: volumes are needed")
    volumes = boxes[:, 3:6].prod(1)
    densities = np.asarray(found.n_points, np.float64) / np.where(volumes > 0, volumes, np.nan)
    if not np.isfinite(densities).all():
        raise SelectionError(f"frame {frame_id!r}: the number of points or the volume of a box is not a number above 0")
    return densities


@dataclass(frozen=True)
class DensityPrior:
    """Uniform densities that the boxes of K classes should have.

    Attributes:
        classes: (K,) labels; only those whose densities spread.
        low, high: (K,) ends of each, points per cubic metre.
        bandwidth: (K,) standard deviation of the Gaussian kernels.
    """

    classes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    bandwidth: np.ndarray

    def grid(self) -> np.ndarray:
        """(K, GRID) the middles of equal parts of each prior's range."""
        return self.low[:, None] + (self.high - self.low)[:, None] * (np.arange(GRID) + 0.5) / GRID


def uniform_prior(
    densities: np.ndarray, labels: np.ndarray, alpha: float, candidates: np.ndarray, bandwidth: float | None
) -> DensityPrior:
    """The prior of all boxes: between the 1 - ``alpha`` and ``alpha`` quantiles of their class' densities.

    Args:
        densities, labels: (B,) of the boxes of the whole pool.
        alpha: between a half and one.
        candidates: labels of the boxes that estimates are made of.
        bandwidth: of every class; None takes Scott's rule (1992), the prior's standard deviation times n^(-1/5), n
            being the number of ``candidates`` of the class: fixed once, whatever is picked.
    """
    rows = []
    for label in np.unique(labels):
        low, high = np.quantile(densities[labels == label], [1 - alpha, alpha])
        scott = (high - low) / np.sqrt(12) * max(1, (candidates == label).sum()) ** -0.2
        if high - low > 1e-9 * max(1.0, high):
            rows.append((label, low, high, scott if bandwidth is None else bandwidth))
    columns = np.array(rows, np.float64).reshape(-1, 4).T
    return DensityPrior(columns[0].astype(np.int64), *columns[1:])


def kernel_sums(
    densities: list[np.ndarray], labels: list[np.ndarray], prior: DensityPrior
) -> tuple[np.ndarray, np.ndarray]:
    """Of M frames' boxes, the sum of Gaussian kernels (M, K, GRID) and the number of boxes (M, K) of each class."""
    grid = prior.grid()
    sums, counts = np.zeros((len(densities), *grid.shape)), np.zeros((len(densities), len(grid)))
    for i, (values, kinds) in enumerate(zip(densities, labels)):
        for k, label in enumerate(prior.classes):
            own = values[kinds == label]
            width = prior.bandwidth[k]
            kernels = np.exp(-0.5 * np.square((grid[k] - own[:, None]) / width)) / (width * np.sqrt(2 * np.pi))
            sums[i, k], counts[i, k] = kernels.sum(0), len(own)
    return sums, counts


def evenness(sums: np.ndarray, counts: np.ndarray, prior: DensityPrior) -> np.ndarray:
    """(...,) from 0 to 1, how near sets of boxes come to the prior: the mean over classes of
    ``1 - 2/pi arctan(pi/2 KL(prior || estimate))``; a class without a box counts 0.

    The divergence is an integral over the prior's range, by the middles of its parts; elsewhere the prior is zero.

    Args:
        sums: (..., K, GRID) of kernels.
        counts: (..., K) of boxes.
    """
    if not len(prior.classes):
        return np.zeros(counts.shape[:-1])
    estimate = np.maximum(sums / np.maximum(counts, 1)[..., None], FLOOR)
    divergence = -np.log(prior.high - prior.low) - np.log(estimate).mean(-1)
    nearness = 1 - 2 / np.pi * np.arctan(np.pi / 2 * divergence)
    return np.where(counts > 0, nearness, 0.0).mean(-1)


def most_even(scores: np.ndarray) -> int:
    """Position of the highest score, the first of those equal but for rounding."""
    return int(np.flatnonzero(scores >= scores.max() - TIE)[0])


def balance(sums: np.ndarray, counts: np.ndarray, prior: DensityPrior, copies: Copies) -> Iterator[tuple[int, float]]:
    """Frames in greedy order and by how much each raised the :func:`evenness` of those before it.

    Args:
        sums, counts: (M, K, GRID) and (M, K) of the candidates.
        prior: what to come near to.
        copies: of the candidates; those marked come last.
    """
    left = np.ones(len(counts), bool)
    total, number, before = np.zeros(sums.shape[1:]), np.zeros(counts.shape[1:]), 0.0
    while left.any():
        rows = np.flatnonzero(copies.fresh(left))
        scores = evenness(sums[rows] + total, counts[rows] + number, prior)
        place = most_even(scores)
        best, score = int(rows[place]), float(scores[place])
        yield best, score - before
        left[best] = False
        copies.mark(copies.vectors[best])
        total, number, before = total + sums[best], number + counts[best], score
