"""Converts arrays to the type that the kernels on boxes are compiled for."""

from __future__ import annotations

import numpy as np


def as_rows(array: np.ndarray, columns: int, name: str) -> np.ndarray:
    """The first ``columns`` columns as C-contiguous float64; an array without elements becomes (0, columns).

    Raises:
        ValueError: not two-dimensional, or fewer columns; the message starts with ``name``.
    """
    array = np.asarray(array)
    if array.size == 0:
        return np.zeros((0, columns))
    if array.ndim != 2 or array.shape[1] < columns:
        raise ValueError(f"{name}: expected shape (N, {columns}), got {array.shape}")
    return np.ascontiguousarray(array[:, :columns], dtype=np.float64)


def as_boxes7(array: np.ndarray, name: str) -> np.ndarray:
    """(M, 7) boxes as C-contiguous float64.

    Raises:
        ValueError: not two-dimensional, or not 7 columns; the message starts with ``name``.
    """
    array = np.asarray(array)
    if array.size and (array.ndim != 2 or array.shape[1] != 7):
        raise ValueError(f"{name}: expected shape (M, 7), got {array.shape}")
    return as_rows(array, 7, name)
