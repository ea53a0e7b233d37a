"""Atomic writes, and reads of text and JSON that check type and size of the file first."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from kecor.errors import DataError

MAX_TEXT = 1 << 26
"""Largest label, calibration, list or table file, in bytes: 64 MiB."""
MAX_JSON = 1 << 30
"""Largest JSON file, in bytes: 1 GiB. An index of a million frames needs a quarter of that."""


def write_atomic(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Call ``write`` with a temporary file in the folder of ``path``, flush it to disk and rename it to ``path``.

    A process killed at any moment leaves either the old file or the new one, and at most one ``.NAME.tmp``, which
    the next write replaces. Missing folders are created. The temporary file is never an existing one, so a symbolic
    link of that name is not followed.

    Raises:
        OSError: the file cannot be written; an existing file is unchanged.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 ``text`` atomically."""
    write_atomic(path, lambda stream: stream.write(text.encode()))


def json_text(value: object) -> str:
    """``value`` as indented JSON, as :func:`write_json` writes it.

    Raises:
        ValueError: a number is not finite (JSON has no NaN).
        TypeError: ``value`` holds something that JSON cannot represent.
    """
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def write_json(path: str | Path, value: object) -> None:
    """Write ``value`` as indented JSON atomically; raises as :func:`json_text`."""
    write_text(path, json_text(value))


def check_regular(path: str | Path, max_bytes: int | None = None) -> int:
    """Size in bytes of a regular file, checked before it is opened.

    Opening a pipe would block, a device never ends, and a file can be larger than memory.

    Raises:
        DataError: ``path`` is missing, not a regular file, or larger than ``max_bytes``.
    """
    try:
        found = Path(path).stat()
    except FileNotFoundError as error:
        raise DataError(f"{path}: cannot be read: no such file") from error
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path}: cannot be read: is no regular file")
    if max_bytes is not None and found.st_size > max_bytes:
        raise DataError(f"{path}: has {found.st_size} bytes; a file of this kind has at most {max_bytes}")
    return found.st_size


def unreadable(path: str | Path, error: Exception) -> DataError:
    """The error for a file whose reading failed with ``error``."""
    return DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")


def read_bytes(path: str | Path, max_bytes: int) -> bytes:
    """Content of a regular file of at most ``max_bytes``.

    Raises:
        DataError: the file is missing, not a regular file, too large, or unreadable.
    """
    check_regular(path, max_bytes)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def read_text(path: str | Path, max_bytes: int = MAX_TEXT) -> str:
    """Text of a UTF-8 file without its byte-order mark; line ends of any system become ``\\n``.

    Raises:
        DataError: the file is missing, not a regular file, larger than ``max_bytes``, unreadable, or not UTF-8.
    """
    check_regular(path, max_bytes)
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: cannot be read: is no UTF-8 text: {error}") from error


def read_json(path: str | Path) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: the file is missing, unreadable or not JSON.
    """
    text = read_text(path, MAX_JSON)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no valid JSON: {error}") from error


def read_lines(path: str | Path) -> list[tuple[int, str]]:
    """Number, from 1, and stripped text of each line that is not blank.

    Raises:
        DataError: as for :func:`read_text`.
    """
    lines = enumerate(read_text(path).splitlines(), 1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        DataError: the file cannot be read.
    """
    check_regular(path)
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()
