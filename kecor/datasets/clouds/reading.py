"""Clouds in common formats: one array of named columns, whatever the format of the file."""

from __future__ import annotations

import tokenize
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor.datasets.clouds.likely_form import describe, foreign, other_kind
from kecor.datasets.clouds.limits import Columns, check_count
from kecor.datasets.clouds.pcd import read_pcd
from kecor.datasets.clouds.ply import read_ply
from kecor.errors import DataError
from kecor.files import check_regular

DEFAULT = ("x", "y", "z", "intensity")
SKIP = "_"
"""Column of a .bin or .npy file that is not used."""
INTENSITY = ("intensity", "i", "reflectivity", "reflectance", "remission")
"""Names under which sensors and tools write the strength of the return; without it, intensity is 0."""
TOO_FAR, TOO_NEAR = 500.0, 0.5
"""Metres: median distances no sensor on a vehicle, a robot or a pole measures."""


def feature_names(columns: Sequence[str]) -> list[str]:
    """Columns of the points a data set gives: x, y, z, intensity, then the others named in ``columns``."""
    return [*DEFAULT, *(name for name in columns if name not in (*DEFAULT, SKIP))]


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
            return _read_bin(path, columns or DEFAULT)
        if suffix == ".npy":
            return _read_npy(path, columns)
        if suffix == ".pcd":
            return _normal(read_pcd(path))
        if suffix == ".ply":
            return _normal(read_ply(path))
        return _normal(_read_las(path))
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


def _read_bin(path: Path, columns: Sequence[str]) -> Columns:
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


def _read_npy(path: Path, columns: Sequence[str] | None) -> Columns:
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


def _read_las(path: Path) -> Columns:
    try:
        import laspy
    except ImportError as error:
        raise DataError(f"{path}: .las and .laz files need laspy: pip install 'kecor[las]'") from error
    try:
        with laspy.open(path) as reader:
            check_count(path, reader.header.point_count)
            cloud = reader.read()
    except (laspy.LaspyException, ValueError, EOFError) as error:
        raise DataError(f"{path}: is no readable LAS file: {error}") from error
    table = {name: np.asarray(cloud[name]) for name in cloud.point_format.dimension_names if name not in "XYZ"}
    return {**table, **{axis: np.asarray(cloud[axis]) for axis in "xyz"}}


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
