"""Point Cloud Data files, version 0.7 (https://pointclouds.org/documentation/tutorials/pcd_file_format.html).

All three forms of the data are read: ``ascii``, ``binary`` and ``binary_compressed`` (LZF, field after field).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kecor.datasets.clouds.limits import Columns, check_count
from kecor.datasets.clouds.lzf import unpack_lzf
from kecor.errors import DataError

MAX_HEADER = 64 * 1024
KINDS = {"F": "f", "I": "i", "U": "u"}


def read_pcd(path: Path) -> Columns:
    """The columns of a cloud by field name; padding and fields of several numbers are left out.

    Raises:
        DataError: no PCD header, more points than a sweep can have, or fewer bytes than the header promises.
    """
    with path.open("rb") as stream:
        dtype, n, form, start = _header(path, stream.read(MAX_HEADER))
        check_count(path, n)
        stream.seek(start)
        data = _rows(path, stream.read(_most_bytes(dtype, n, form)), dtype, n, form)
    return {name: data[name] for name in dtype.names or () if data[name].ndim == 1 and not name.startswith("_")}


def _header(path: Path, head: bytes) -> tuple[np.dtype, int, str, int]:
    """Row type, number of points, form of the data, and where the data starts."""
    values: dict[str, list[str]] = {}
    start = 0
    for line in head.split(b"\n")[:-1]:
        start += len(line) + 1
        words = line.decode("ascii", "replace").strip().split()
        if not words or words[0].startswith("#"):
            continue
        values[words[0].upper()] = words[1:]
        if words[0].upper() == "DATA":
            break
    try:
        names, sizes, kinds = values["FIELDS"], values["SIZE"], values["TYPE"]
        counts = [int(c) for c in values.get("COUNT", ["1"] * len(names))]
        if "POINTS" in values:
            n = int(values["POINTS"][0])
        else:
            n = int(values["WIDTH"][0]) * int(values["HEIGHT"][0])
        form = values["DATA"][0].lower()
        if not len(names) == len(sizes) == len(kinds) == len(counts) or min(counts) < 1 or n < 0 or "0" in sizes:
            raise ValueError("FIELDS, SIZE, TYPE and COUNT do not fit together")
        unique = [name if names.count(name) == 1 and name != "_" else f"_{k}" for k, name in enumerate(names)]
        fields = [(u, f"<{KINDS[k]}{int(s)}", c) for u, k, s, c in zip(unique, kinds, sizes, counts)]
        dtype = np.dtype([(u, t) if c == 1 else (u, t, (c,)) for u, t, c in fields])
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise DataError(f"{path}: its PCD header cannot be read: {error}") from error
    if form not in ("ascii", "binary", "binary_compressed"):
        raise DataError(f"{path}: DATA {form!r} is none of ascii, binary, binary_compressed")
    return dtype, n, form, start


def _most_bytes(dtype: np.dtype, n: int, form: str) -> int:
    """An upper bound of what the data takes: 40 characters a number as text, else what the header says and a bit."""
    if form == "ascii":
        return 40 * n * sum(int(np.prod(dtype[name].shape or 1)) for name in dtype.names or ())
    return 2 * n * dtype.itemsize + 1024


def _rows(path: Path, data: bytes, dtype: np.dtype, n: int, form: str) -> np.ndarray:
    if form == "ascii":
        return _text_rows(path, data, dtype, n)
    if form == "binary":
        if len(data) < n * dtype.itemsize:
            raise DataError(f"{path}: truncated: {n} points of {dtype.itemsize} bytes, but {len(data)} bytes are there")
        return np.frombuffer(data, dtype, n)
    return _compressed_rows(path, data, dtype, n)


def _text_rows(path: Path, data: bytes, dtype: np.dtype, n: int) -> np.ndarray:
    flat = [(name, int(np.prod(dtype[name].shape or 1))) for name in dtype.names or ()]
    width = sum(count for _, count in flat)
    words = data.split()
    if len(words) != n * width:
        raise DataError(f"{path}: {n} points of {width} numbers are expected, but {len(words)} numbers are there")
    try:
        table = np.array(words, "S").astype(np.float64).reshape(n, width)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    rows = np.zeros(n, [(name, np.float64) if count == 1 else (name, np.float64, (count,)) for name, count in flat])
    start = 0
    for name, count in flat:
        rows[name] = table[:, start] if count == 1 else table[:, start : start + count]
        start += count
    return rows


def _compressed_rows(path: Path, data: bytes, dtype: np.dtype, n: int) -> np.ndarray:
    if len(data) < 8:
        raise DataError(f"{path}: truncated: no compressed data")
    packed, unpacked = np.frombuffer(data, "<u4", 2).tolist()
    if unpacked != n * dtype.itemsize or packed > len(data) - 8:
        raise DataError(f"{path}: truncated, or its compressed data is not of {n} points of {dtype.itemsize} bytes")
    out = np.empty(unpacked, np.uint8)
    if not unpack_lzf(np.frombuffer(data, np.uint8, packed, 8), out):
        raise DataError(f"{path}: its compressed data is damaged")
    rows = np.empty(n, dtype)
    start = 0
    for name in dtype.names or ():
        size = n * dtype[name].itemsize
        rows[name] = np.frombuffer(out[start : start + size].tobytes(), dtype[name].base).reshape(rows[name].shape)
        start += size
    return rows
