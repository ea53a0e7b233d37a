"""The scale of intensity: sensors write 0-1, 0-255 or raw counts, detectors take 0-1."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

PERCENTILE = 99.0
SWEEPS = 20
"""Sweeps that are read to measure a scale."""


def intensity_scale(sweeps: Iterable[np.ndarray]) -> float:
    """What intensities are divided by, measured on (N, 4+) sweeps.

    1 where no intensity exceeds 1, 0 where all are 0 (there is no intensity), else the 99th percentile of those
    above 0, rounded to three digits: retroreflectors exceed it, and a scale that they set would make all else dark.
    """
    values = np.concatenate([points[:, 3] for points in sweeps])
    highest = values.max(initial=0.0)
    if highest <= 0:
        return 0.0
    if highest <= 1:
        return 1.0
    return float(np.float32(f"{np.percentile(values[values > 0], PERCENTILE):.3g}"))


def scale_intensity(points: np.ndarray, scale: float) -> np.ndarray:
    """``points`` (N, 4+) with intensity divided by ``scale`` and clipped to [0, 1], in place; 0 makes all of them 0."""
    if scale == 0:
        points[:, 3] = 0
    else:
        np.clip(points[:, 3] / np.float32(scale), 0, 1, out=points[:, 3])
    return points
