"""Clouds in common formats: one array of named columns, whatever the format of the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor.datasets.clouds.arrays import read_bin, read_npy
from kecor.datasets.clouds.columns import DEFAULT, INTENSITY, feature_names
from kecor.datasets.clouds.las import read_las
from kecor.datasets.clouds.limits import Columns, check_metres
from kecor.datasets.clouds.pcd import read_pcd
from kecor.datasets.clouds.ply import read_ply
from kecor.errors import DataError
from kecor.files import check_regular


def read_cloud(path: Path, columns: Sequence[str] | None = None) -> np.ndarray:
    """(N, 4+) float32: x, y, z in metres, intensity as written, further ``columns``.

    ``columns`` names, in order, what each point of a ``.bin`` (float32) or ``.npy`` file holds, with ``_`` for what is
    not used; by default x, y, z, intensity, or x, y, z for an array of three columns. From other formats the columns
    of those names are read. Points whose coordinates are not finite are left out, other such values become 0.

    Raises:
        DataError: the file is missing, damaged, of another form, or its coordinates are no metres from a sensor.
    """
    check_regular(path)
    table = _read(path, columns)
    names = feature_names(columns or DEFAULT)
    points = np.empty((len(_column(path, table, "x")), len(names)), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for k, name in enumerate(names):
            points[:, k] = _column(path, table, name)
    finite = np.isfinite(points)
    if not finite.all():
        points[:, 3:][~finite[:, 3:]] = 0
        points = points[finite[:, :3].all(axis=1)]
    if not len(points):
        raise DataError(f"{path}: none of its {len(finite)} points has finite coordinates")
    check_metres(path, points)
    return points


def _read(path: Path, columns: Sequence[str] | None) -> Columns:
    suffix = path.suffix.lower()
    try:
        if suffix == ".bin":
            return read_bin(path, columns or DEFAULT)
        if suffix == ".npy":
            return read_npy(path, columns)
        if suffix == ".pcd":
            return _normal(read_pcd(path))
        if suffix == ".ply":
            return _normal(read_ply(path))
        return _normal(read_las(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _normal(table: Columns) -> Columns:
    """Columns by lower-case name, without CloudCompare's prefix ``scalar_``."""
    return {name.lower().removeprefix("scalar_"): values for name, values in table.items()}


def _column(path: Path, table: Columns, name: str) -> np.ndarray:
    for known in INTENSITY if name == "intensity" else (name,):
        if known in table:
            return table[known]
    if name == "intensity":
        return np.zeros(len(table["x"]))
    raise DataError(f"{path}: has no column {name!r}; it has {', '.join(table)}")
