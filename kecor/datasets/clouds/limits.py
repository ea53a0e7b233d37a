"""What a cloud file may hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kecor.errors import DataError

Columns = dict[str, np.ndarray]
"""The numbers of all points, (N,) each, by the name the file gives them."""
MAX_POINTS = 20_000_000
"""More points than any sweep has; a header that promises more is damaged, and is refused before memory is taken."""
TOO_FAR, TOO_NEAR = 500.0, 0.5
"""Metres: median distances no sensor on a vehicle, a robot or a pole measures."""


def check_count(path: Path, n: int) -> None:
    """Raise :class:`DataError` unless a cloud has between one and :data:`MAX_POINTS` points."""
    if n <= 0:
        raise DataError(f"{path}: holds no point")
    if n > MAX_POINTS:
        raise DataError(f"{path}: {n} points are more than a sweep can have ({MAX_POINTS})")


def check_metres(path: Path, points: np.ndarray) -> None:
    """Raise :class:`DataError` when coordinates cannot be metres from the sensor, saying what they may be."""
    sample = points[:: max(1, len(points) // 4096), :3].astype(np.float64)
    middle = float(np.median(np.linalg.norm(sample, axis=1)))
    if TOO_NEAR <= middle <= TOO_FAR:
        return
    if middle < TOO_NEAR:
        likely = "they may be kilometres or scaled to 1: multiply them back to metres"
    elif np.ptp(sample[:, :2], axis=0).max() < middle:
        likely = "they may be map coordinates (UTM): subtract the sensor's position and turn them into its frame"
    else:
        likely = "they may be millimetres: divide by 1000"
    raise DataError(f"{path}: half of its points are more than {middle:.3g} m from the sensor; {likely}")
