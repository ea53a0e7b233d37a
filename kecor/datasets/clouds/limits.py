"""What a cloud file may hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kecor.errors import DataError

Columns = dict[str, np.ndarray]
"""The numbers of all points, (N,) each, by the name the file gives them."""
MAX_POINTS = 20_000_000
"""More points than any sweep has; a header that promises more is damaged, and is refused before memory is taken."""


def check_count(path: Path, n: int) -> None:
    """Raise :class:`DataError` unless a cloud has between one and :data:`MAX_POINTS` points."""
    if n <= 0:
        raise DataError(f"{path}: holds no point")
    if n > MAX_POINTS:
        raise DataError(f"{path}: {n} points are more than a sweep can have ({MAX_POINTS})")
