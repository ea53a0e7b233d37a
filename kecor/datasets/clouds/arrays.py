"""Clouds without a header of their own: ``.bin`` (float32) and ``.npy``."""

from __future__ import annotations

import tokenize
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor.datasets.clouds.columns import DEFAULT, SKIP
from kecor.datasets.clouds.likely_form import describe, foreign, other_kind
from kecor.datasets.clouds.limits import Columns, check_count
from kecor.errors import DataError


def read_bin(path: Path, columns: Sequence[str]) -> Columns:
    """The ``columns`` of a file of float32; raises DataError where it is something else."""
    size, width = path.stat().st_size, 4 * len(columns)
    check_count(path, size // width if size >= width else size)
    if size % width:
        form = describe(path) or "no whole number of points"
        raise DataError(
            f"{path}: {size} bytes are no whole number of points of {len(columns)} float32 "
            f"({', '.join(columns)}): it is {form}; set data.columns to what a point holds, or convert to float32"
        )
    data = np.fromfile(path, "<f4").reshape(-1, len(columns))
    if foreign(data[:4096]) or other_kind(data[:64].tobytes()):
        raise DataError(f"{path}: its numbers are no coordinates: it is {describe(path) or 'of another form'}")
    return _named(data, columns)


def read_npy(path: Path, columns: Sequence[str] | None) -> Columns:
    """The ``columns`` of an (N, C) array, by default the first of x, y, z, intensity; raises DataError for others."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TypeError, OverflowError, tokenize.TokenError) as error:
        raise DataError(f"{path}: is {describe(path) or 'no plain .npy array'}: {error}") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiu":
        shape = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise DataError(f"{path}: (N, columns) numbers are expected, got {shape}")
    check_count(path, len(array))
    if columns is None:
        columns = DEFAULT[: array.shape[1]]
    if len(columns) != array.shape[1] or len(columns) < 3:
        raise DataError(
            f"{path}: has {array.shape[1]} columns, not {', '.join(columns)}; name them with data.columns, "
            f"such as [x, y, z, intensity, ring], with {SKIP} for one that is not used"
        )
    return _named(np.asarray(array), columns)


def _named(data: np.ndarray, columns: Sequence[str]) -> Columns:
    return {name: data[:, k] for k, name in enumerate(columns) if name != SKIP}
