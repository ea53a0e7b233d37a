"""Logistic regression of yes or no on one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

PRECISION = 4.0
"""Precision of the prior of the slope: a standard deviation of 1/2."""
STEPS = 200


@dataclass(frozen=True)
class LogisticFit:
    """``P(yes | x) = 1 / (1 + exp(-(slope * x + intercept)))``."""

    slope: float
    intercept: float


def fit_logistic(x: np.ndarray, y: np.ndarray, slope: float) -> LogisticFit:
    """The most likely fit under a normal prior of the slope around ``slope`` and a flat one of the intercept.

    The probabilities sum to the number of ones, kept half a one away from none and from all, so that the intercept is
    finite. Newton's method with halved steps; the objective is convex.

    Args:
        x: (n,).
        y: (n,) zeros and ones.
        slope: mean of the prior.
    """
    if len(x) == 0:
        return LogisticFit(slope, 0.0)
    total = float(y.sum())
    y = y + (np.clip(total, 0.5, len(y) - 0.5) - total) / len(y)
    centre = float(x.mean())  # decouples slope and intercept
    x = x - centre
    point = np.array([slope, 0.0])

    def loss(at: np.ndarray) -> float:
        z = at[0] * x + at[1]
        return float((np.logaddexp(0, z) - y * z).sum() + PRECISION / 2 * (at[0] - slope) ** 2)

    for _ in range(STEPS):
        p = expit(point[0] * x + point[1])
        gradient = np.array([((p - y) * x).sum() + PRECISION * (point[0] - slope), (p - y).sum()])
        if np.abs(gradient).max() < 1e-9 * len(y):
            break
        w = p * (1 - p)
        cross = (w * x).sum()
        hessian = np.array([[(w * x * x).sum() + PRECISION, cross], [cross, w.sum() + 1e-12]])
        step, length, before = np.linalg.solve(hessian, gradient), 1.0, loss(point)
        while loss(point - length * step) > before and length > 1e-10:
            length /= 2
        point = point - length * step
    return LogisticFit(float(point[0]), float(point[1] - point[0] * centre))
