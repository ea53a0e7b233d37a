"""Stanford polygon files: the vertices of ``ascii`` and ``binary`` ones (http://paulbourke.net/dataformats/ply)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kecor.datasets.clouds.limits import Columns, check_count
from kecor.errors import DataError

MAX_HEADER = 64 * 1024
TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2"},
    **{"int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8"},
}
ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}


def read_ply(path: Path) -> Columns:
    """The columns of the vertices by property name.

    Raises:
        DataError: no PLY header, the vertices are not the first element or hold lists, more of them than a sweep
            can have, or fewer bytes than the header promises.
    """
    with path.open("rb") as stream:
        form, n, fields, start = _header(path, stream.read(MAX_HEADER))
        check_count(path, n)
        stream.seek(start)
        dtype = np.dtype([(name, ORDERS[form] + kind) for name, kind in fields])
        if form != "ascii":
            data = stream.read(n * dtype.itemsize)
            if len(data) < n * dtype.itemsize:
                raise DataError(f"{path}: truncated: {len(data)} bytes for {n} points of {dtype.itemsize} bytes")
            rows = np.frombuffer(data, dtype)
            return {name: rows[name] for name, _ in fields}
        words = stream.read(40 * n * len(fields)).split()[: n * len(fields)]
    if len(words) < n * len(fields):
        raise DataError(f"{path}: truncated: {n} points of {len(fields)} numbers, but {len(words)} numbers are there")
    try:
        table = np.array(words, "S").astype(np.float64).reshape(n, len(fields))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    return {name: table[:, k] for k, (name, _) in enumerate(fields)}


def _header(path: Path, head: bytes) -> tuple[str, int, list[tuple[str, str]], int]:
    """Form of the data, number of vertices, (name, type) of their properties, and where the data starts."""
    end = head.find(b"end_header")
    stop = head.find(b"\n", end) + 1
    if not head.startswith(b"ply") or end < 0 or stop == 0:
        raise DataError(f"{path}: has no PLY header")
    lines = [line.split() for line in head[:end].decode("ascii", "replace").splitlines()[1:]]
    lines = [words for words in lines if words and words[0] not in ("comment", "obj_info")]
    first = next((k for k, words in enumerate(lines) if words[0] == "element"), len(lines))
    properties = []
    for words in lines[first + 1 :]:
        if words[0] != "property":
            break
        properties.append(words)
    try:
        form = next(words[1] for words in lines[:first] if words[0] == "format")
        if form not in ORDERS or lines[first][1] != "vertex":
            raise ValueError(f"format {form}, first element {lines[first][1]}")
        fields = [(name, TYPES[kind]) for _, kind, name in properties]
        if np.dtype(fields).itemsize == 0:
            raise ValueError("no property")
        return form, int(lines[first][2]), fields, stop
    except (StopIteration, IndexError, KeyError, ValueError) as error:
        raise DataError(f"{path}: its PLY header is not one of vertices of plain numbers: {error!r}") from error
