"""Reading files that strangers send: sizes first, then types, and every error names file and place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kecor import files
from kecor.errors import DataError
from kecor.files import check_regular

MAX_BYTES = 256 * 2**20
HUGE = 1e12
"""Larger numbers stand in no label file, and arithmetic with them can overflow."""


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        DataError: the file is missing, no regular file, cannot be read, or is larger than 256 MiB.
    """
    size = check_regular(path)
    if size > MAX_BYTES:
        raise DataError(f"{path}: {size / 2**20:.0f} MiB; label files hold at most {MAX_BYTES // 2**20}; split it")
    return files.read_bytes(path, MAX_BYTES)


def read_text(path: Path) -> str:
    """The content of a UTF-8 file, without a byte order mark.

    Raises:
        DataError: as :func:`read_bytes`, or no UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8 text (byte {error.start}); save it as UTF-8") from error


def read_rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Place (file and line) and words of each line that is not empty."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if words := line.split():
            yield f"{path}:{number}", words


def numbers(where: str, words: Sequence[str]) -> list[float]:
    """Words as numbers.

    Raises:
        DataError: a word is no finite number below 1e12.
    """
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    for word, value in zip(words, values):
        if not abs(value) <= HUGE:
            raise DataError(f"{where}: {word[:60]!r} is no finite number below {HUGE:g}")
    return values


class Value:
    """A value in a JSON file that knows where it stands."""

    def __init__(self, value: Any, path: Path, place: str = "") -> None:
        self.value = value
        self._path = path
        self._place = place

    @property
    def where(self) -> str:
        """File and place: ``labels/000003.json: objects[2].centroid``."""
        return f"{self._path}: {self._place}" if self._place else str(self._path)

    def __getitem__(self, key: str) -> Value:
        """The value of a key; an error where there is none."""
        found = self.get(key)
        if found is None:
            keys = ", ".join(list(self.value)[:10]) or "none"
            raise DataError(f"{self.where}: has no key {key!r} (its keys: {keys[:200]})")
        return found

    def get(self, key: str) -> Value | None:
        """The value of a key, or None where there is none."""
        fields = self._of_type(dict, "an object {...}")
        place = f"{self._place}.{key}" if self._place else key
        return Value(fields[key], self._path, place) if key in fields else None

    def fields(self) -> list[str]:
        """The keys of an object."""
        return list(self._of_type(dict, "an object {...}"))

    def items(self) -> list[Value]:
        """The values of a list."""
        values = self._of_type(list, "a list [...]")
        return [Value(value, self._path, f"{self._place}[{i}]") for i, value in enumerate(values)]

    def number(self) -> float:
        """A finite number below 1e12. Python's parser lets NaN and infinities through."""
        kind_fits = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        if not kind_fits or not abs(self.value) <= HUGE:
            raise self._wrong(f"a finite number below {HUGE:g}")
        return float(self.value)

    def integer(self) -> int:
        """A whole number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self._wrong("a whole number")
        return self.value

    def text(self) -> str:
        """A text."""
        return self._of_type(str, "a text")

    def numbers(self, keys: Sequence[str] = "xyz") -> list[float]:
        """The numbers of several keys."""
        return [self[key].number() for key in keys]

    def vector(self, length: int) -> list[float]:
        """A list of ``length`` numbers."""
        values = [item.number() for item in self.items()]
        if len(values) != length:
            raise self._wrong(f"a list of {length} numbers")
        return values

    def _of_type(self, kind: type, wanted: str) -> Any:
        if not isinstance(self.value, kind):
            raise self._wrong(wanted)
        return self.value

    def _wrong(self, wanted: str) -> DataError:
        nested = isinstance(self.value, (dict, list))
        found = f"a {type(self.value).__name__}" if nested else repr(self.value)[:60]
        return DataError(f"{self.where}: expected {wanted}, found {found}")


def read_json_value(path: Path) -> Value:
    """The value of a JSON file.

    Raises:
        DataError: as :func:`read_text`, or no JSON, or nested too deeply.
    """
    try:
        return Value(json.loads(read_text(path)), path)
    except RecursionError:
        raise DataError(f"{path}: is nested too deeply for a label file; export it again") from None
    except ValueError as error:
        raise DataError(f"{path}: is no valid JSON: {error}; export it again") from error
