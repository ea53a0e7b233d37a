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
            if reader.header.are_points_compressed:
                _check_chunks(path, reader.header.offset_to_point_data)
            cloud = reader.read()
    except (MemoryError, DataError):
        raise
    except Exception as error:  # the decompressors of .laz have kinds of errors of their own
        raise DataError(f"{path}: is no readable LAS file: {error}") from error
    table = {name: np.asarray(cloud[name]) for name in cloud.point_format.dimension_names if name not in "XYZ"}
    return {**table, **{axis: np.asarray(cloud[axis]) for axis in "xyz"}}


def _check_chunks(path: Path, start: int) -> None:
    """Check the number of chunks that a .laz file claims: the decompressor reserves memory for them or aborts.

    Args:
        path: the file.
        start: where its points begin: with the place of the chunk table, or -1 where that stands in the last 8 bytes.
            The table begins with its version and the number of chunks.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(start)
        table = int.from_bytes(stream.read(8), "little", signed=True)
        if table == -1:
            stream.seek(max(0, size - 8))
            table = int.from_bytes(stream.read(8), "little", signed=True)
        if not 0 <= table <= size - 8:
            raise DataError(f"{path}: is no readable LAS file: its table of chunks is cut off; copy it again")
        stream.seek(table + 4)
        chunks = int.from_bytes(stream.read(4), "little")
    if chunks > size:
        raise DataError(f"{path}: is no readable LAS file: claims {chunks} chunks in {size} bytes; copy it again")
