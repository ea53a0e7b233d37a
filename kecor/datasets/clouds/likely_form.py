"""What a binary file of points most likely is, when it is not what it should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HEAD = 1 << 18
"""Bytes that are looked at: enough for thousands of points."""
TEXT = 256
"""Bytes that have to be printable for a file to be called a text."""
LARGEST = 1e7
"""Metres; coordinates beyond it are no coordinates but bytes read in the wrong way."""
MAGIC = ((b"PK\x03\x04", "a zip archive"), (b"\x1f\x8b\x08", "a gzip archive"), (b"\x93NUMPY", "a .npy array"))
"""First bytes of other files; none is so short that a cloud may begin with it by chance."""
COLUMNS = (3, 4, 5, 6, 7, 8)


def foreign(data: np.ndarray) -> bool:
    """Whether more than a tenth of some numbers are absurd. NaN is not: drivers write it where nothing returned."""
    with np.errstate(invalid="ignore"):
        size = np.abs(data.astype(np.float64))
        return bool(((size > LARGEST) | ((size < 1e-12) & (size > 0))).mean() > 0.1)


def describe(path: Path) -> str | None:
    """A short description of a file of points, such as ``float64, 4 columns``, or None where it is not clear."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    other = other_kind(head)
    if other:
        return other
    form = likely_columns(head, path.stat().st_size)
    return form and f"likely {form[0]}, {form[1]} columns"


def other_kind(head: bytes) -> str | None:
    """What a file that begins with ``head`` is, if it is a well-known thing that is no array of numbers."""
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file itself (run `git lfs pull`)"
    for magic, name in MAGIC:
        if head.startswith(magic):
            return name
    if head[:TEXT].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "an HTML or XML page"
    text = head[:TEXT]
    return "a text" if text and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in text) else None


def likely_columns(head: bytes, size: int) -> tuple[str, int] | None:
    """Type (``float32``, ``float64``) and number of columns of a file of ``size`` bytes that begins with ``head``.

    Numbers of one column differ less from each other than from those of other columns: among the widths that divide
    the file, the right one has the smallest mean difference between numbers one point apart, up to multiples of it
    (2 E|X - Y| >= E|X - X'| + E|Y - Y'|; Szekely and Rizzo 2013). None for numbers that are no coordinates at all.
    """
    for name, dtype in (("float32", "<f4"), ("float64", "<f8")):
        width = int(dtype[-1])
        with np.errstate(invalid="ignore"):
            numbers = np.frombuffer(head[: len(head) // width * width], dtype).astype(np.float64)
        if len(numbers) < 64 or foreign(numbers):
            continue
        numbers = np.clip(np.nan_to_num(numbers), -200, 200)
        steps = {
            columns: float(np.abs(numbers[columns:] - numbers[:-columns]).mean())
            for columns in COLUMNS
            if size % (width * columns) == 0
        }
        near = [columns for columns, step in steps.items() if step <= 1.1 * min(steps.values())]
        return (name, min(near)) if near else None
    return None
