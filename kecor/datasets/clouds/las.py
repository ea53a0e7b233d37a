"""LAS and LAZ files, by laspy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kecor.datasets.clouds.limits import Columns, check_count
from kecor.errors import DataError


def read_las(path: Path) -> Columns:
    """The dimensions of a file by name, x, y and z in metres.

    Raises:
        DataError: laspy is not installed, or the file is damaged or has more points than a sweep.
    """
    try:
        import laspy
    except ImportError as error:
        raise DataError(f"{path}: .las and .laz files need laspy: pip install 'kecor[las]'") from error
    try:
        with laspy.open(path) as reader:
            check_count(path, reader.header.point_count)
            cloud = reader.read()
    except MemoryError:
        raise
    except Exception as error:  # the decompressors of .laz have kinds of errors of their own
        raise DataError(f"{path}: is no readable LAS file: {error}") from error
    table = {name: np.asarray(cloud[name]) for name in cloud.point_format.dimension_names if name not in "XYZ"}
    return {**table, **{axis: np.asarray(cloud[axis]) for axis in "xyz"}}
