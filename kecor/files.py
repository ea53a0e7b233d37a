"""Small text and JSON files: written whole or not at all, read with their faults named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from kecor.errors import DataError

MAX_TEXT = 64 * 1024 * 1024
"""Bytes of the longest text that is read."""


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


def read_json(path: str | Path) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: the file is missing, unreadable or no JSON; the message names it.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: is no valid JSON: {error}") from error


def read_lines(path: str | Path) -> list[tuple[int, str]]:
    """The lines of a UTF-8 text with their numbers, from 1; blank lines are left out.

    A byte-order mark and carriage returns do not count.

    Raises:
        DataError: the file is missing, no regular file, larger than :data:`MAX_TEXT`, or no UTF-8 text.
    """
    path = Path(path)
    check_regular(path)
    if path.stat().st_size > MAX_TEXT:
        raise DataError(f"{path}: {path.stat().st_size} bytes are too many for a text of this kind")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8 text: {error}; save it as UTF-8") from error
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def check_regular(path: str | Path) -> None:
    """Raise :class:`DataError` unless ``path`` is a regular file: a pipe or a device would block or never end."""
    path = Path(path)
    try:
        exists, regular = path.exists(), path.is_file()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not exists:
        raise DataError(f"{path}: no such file")
    if not regular:
        raise DataError(f"{path}: is no regular file")
