"""Plain reference of CRB's density balancing: fits a density estimate for every candidate, class and pick.

It shares no code with the package. Prior and bandwidths are arguments, and the bandwidths are fixed.
"""

from __future__ import annotations

import numpy as np

TIE = 1e-9
"""Scores that differ by less are equal up to rounding; the first frame is picked."""


class GaussianKDE:
    """Gaussian kernel density estimate of ``data`` (n,) with a fixed ``bandwidth``."""

    def __init__(self, data: np.ndarray, bandwidth: float) -> None:
        self.data, self.bandwidth = data, bandwidth

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The density at ``points`` (G,)."""
        z = (points[:, None] - self.data) / self.bandwidth
        return np.exp(-0.5 * z**2).mean(1) / (self.bandwidth * np.sqrt(2 * np.pi))


def divergence(data: np.ndarray, low: float, high: float, bandwidth: float, places: int) -> float:
    """KL divergence from the uniform density on [low, high] to the estimate of ``data``, on a grid of ``places``
    points."""
    grid = low + (high - low) * (np.arange(places) + 0.5) / places
    uniform = np.full(places, 1 / (high - low))
    estimate = np.maximum(GaussianKDE(data, bandwidth)(grid), np.finfo(np.float64).tiny)
    return float((uniform * np.log(uniform / estimate)).mean() * (high - low))


def plain_balance(
    densities: list[np.ndarray],
    labels: list[np.ndarray],
    classes: list[int],
    low: np.ndarray,
    high: np.ndarray,
    bandwidth: np.ndarray,
    places: int,
    count: int,
) -> list[int]:
    """Rows of the first ``count`` frames in greedy order.

    Args:
        densities, labels: point density and label of each box, per frame.
        classes: labels that have a prior.
        low, high, bandwidth: range of the uniform prior and bandwidth of the estimate, per class.
        places: number of grid points.
        count: number of frames to pick.
    """
    picks: list[int] = []
    while len(picks) < count:
        scores = np.full(len(densities), -np.inf)
        for i in range(len(densities)):
            if i in picks:
                continue
            values = np.concatenate([densities[j] for j in (*picks, i)])
            kinds = np.concatenate([labels[j] for j in (*picks, i)])
            nearness = np.zeros(len(classes))
            for k, label in enumerate(classes):
                data = values[kinds == label]
                if len(data):
                    kl = divergence(data, low[k], high[k], bandwidth[k], places)
                    nearness[k] = 1 - 2 / np.pi * np.arctan(np.pi / 2 * kl)
            scores[i] = nearness.mean()
        picks.append(int(np.flatnonzero(scores >= scores.max() - TIE)[0]))
    return picks
