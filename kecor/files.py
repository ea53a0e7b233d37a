"""Small text and JSON files, written whole or not at all, and read only where their kind and size make sense."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from kecor.errors import DataError

MAX_TEXT = 1 << 26
"""Bytes of the longest label, calibration, list or table that is read: 64 MiB."""
MAX_JSON = 1 << 30
"""Bytes of the longest JSON file that is read: an index of a million frames has a quarter of it."""


def write_atomic(path: str | Path, write: Callable[[BinaryIO], Any]) -> None:
    """Call ``write`` on a temporary file beside ``path``, flush it to disk and move it into place.

    A process killed at any moment leaves either the old file or the new one, and at most one ``.NAME.tmp``, which
    the next write replaces. Missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 ``text`` atomically."""
    write_atomic(path, lambda stream: stream.write(text.encode()))


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON atomically.

    Raises:
        ValueError: a number is not finite (JSON has no NaN).
        TypeError: ``value`` holds something JSON has no form for.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def check_regular(path: str | Path, max_bytes: int | None = None) -> int:
    """The size in bytes of a regular file, looked up before its content is touched.

    A pipe would block, a device would never end, and a file can claim more bytes than memory holds.

    Raises:
        DataError: ``path`` is missing, no regular file, or larger than ``max_bytes``.
    """
    try:
        found = Path(path).stat()
    except FileNotFoundError as error:
        raise DataError(f"{path}: cannot be read: no such file") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path}: cannot be read: is no regular file")
    if max_bytes is not None and found.st_size > max_bytes:
        raise DataError(f"{path}: has {found.st_size} bytes; a file of this kind has at most {max_bytes}")
    return found.st_size


def read_text(path: str | Path, max_bytes: int = MAX_TEXT) -> str:
    """The text of a UTF-8 file; a byte-order mark is left out, and line ends of any system become ``\\n``.

    Raises:
        DataError: the file is missing, no regular file, larger than ``max_bytes``, unreadable, or no UTF-8.
    """
    check_regular(path, max_bytes)
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: cannot be read: is no UTF-8 text: {error}") from error


def read_json(path: str | Path) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: the file is missing, unreadable or no JSON; the message names it.
    """
    text = read_text(path, MAX_JSON)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no valid JSON: {error}") from error


def read_lines(path: str | Path) -> list[tuple[int, str]]:
    """The lines of a text and their numbers, from 1; blank lines are left out.

    Raises:
        DataError: as for :func:`read_text`.
    """
    lines = enumerate(read_text(path).splitlines(), 1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
