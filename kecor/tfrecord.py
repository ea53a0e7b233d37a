"""TFRecord files: records of bytes, each framed by its length and two checksums.

A record is a uint64 length, the masked CRC-32C of these eight bytes, the data, and the masked CRC-32C of the data, all
little-endian (TensorFlow, ``tensorflow/core/lib/io/record_writer.h``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numba import njit

from kecor.errors import DataError
from kecor.files import check_regular, write_atomic

MAX_RECORD = 1 << 31
"""Bytes that no protobuf message can exceed."""
_CURE = "the file is damaged or was not downloaded completely; download it again"


def _tables() -> np.ndarray:
    """(8, 256) uint32 tables of CRC-32C for eight bytes at a time (reflected polynomial 0x82F63B78)."""
    tables = np.zeros((8, 256), np.uint32)
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        tables[0, byte] = value
    for k in range(1, 8):
        tables[k] = (tables[k - 1] >> 8) ^ tables[0, tables[k - 1] & 255]
    return tables


_TABLES = _tables()


@njit(cache=True, nogil=True)
def _crc32c(data, tables):
    crc = np.uint32(0xFFFFFFFF)
    end = len(data) // 8 * 8
    for i in range(0, end, 8):
        folded = np.uint32(0)
        for k in range(4):
            low = data[i + k] ^ np.uint8((crc >> np.uint32(8 * k)) & np.uint32(255))
            folded ^= tables[7 - k, low] ^ tables[3 - k, data[i + 4 + k]]
        crc = folded
    for i in range(end, len(data)):
        crc = (crc >> np.uint32(8)) ^ tables[0, (crc ^ data[i]) & np.uint32(255)]
    return crc ^ np.uint32(0xFFFFFFFF)


def masked_crc(data: bytes) -> int:
    """The CRC-32C of ``data``, rotated right by 15 bits and offset, as TFRecord files store it."""
    crc = int(_crc32c(np.frombuffer(data, np.uint8), _TABLES))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path: str | Path) -> Iterator[bytes]:
    """The records of a file, in order. Lengths are compared with the size of the file before anything is read.

    Raises:
        DataError: the file cannot be read, a record is cut off or too long, or a checksum is wrong; names the record.
    """
    path = Path(path)
    left, number = check_regular(path), 0
    try:
        with path.open("rb") as stream:
            if not left:
                raise DataError(f"{path}: is empty; {_CURE}")
            while left:
                data = _record(stream, left, f"{path}: record {number}")
                yield data
                left, number = left - len(data) - 16, number + 1
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _record(stream: BinaryIO, left: int, where: str) -> bytes:
    """The next record of a stream of which ``left`` bytes remain."""
    if left < 16:
        raise DataError(f"{where}: the file ends after {left} bytes of it; {_CURE}")
    header = stream.read(12)
    length, crc = struct.unpack("<QI", header)
    if masked_crc(header[:8]) != crc:
        raise DataError(f"{where}: the checksum of its length is wrong: this is no TFRecord file, or {_CURE}")
    if length > min(left - 16, MAX_RECORD):
        raise DataError(f"{where}: claims {length} bytes where {left - 16} are left; {_CURE}")
    data = stream.read(length)
    if masked_crc(data) != struct.unpack("<I", stream.read(4))[0]:
        raise DataError(f"{where}: the checksum of its {length} bytes is wrong; {_CURE}")
    return data


def write_records(path: str | Path, records: Iterable[bytes]) -> None:
    """Write a TFRecord file atomically."""

    def write(stream: BinaryIO) -> None:
        for data in records:
            header = struct.pack("<Q", len(data))
            stream.write(header + struct.pack("<I", masked_crc(header)))
            stream.write(data)
            stream.write(struct.pack("<I", masked_crc(data)))

    write_atomic(path, write)
