"""The columns of a file that does not name them, found by its size and its numbers."""

from __future__ import annotations

import tokenize
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor.datasets.clouds.columns import DEFAULT, SKIP
from kecor.datasets.clouds.likely_form import HEAD, likely_columns


def bin_form(path: Path) -> tuple[str, int] | None:
    """Type and number of columns that a ``.bin`` file most likely holds, where its numbers tell."""
    if path.suffix.lower() != ".bin":
        return None
    with path.open("rb") as stream:
        return likely_columns(stream.read(HEAD), path.stat().st_size)


def wrong_columns(path: Path, columns: Sequence[str] | None) -> str | None:
    """What is wrong with ``columns`` for a ``.bin`` file that can be read with them, or None."""
    form, width = bin_form(path), len(columns or DEFAULT)
    if form is None or form == ("float32", width):
        return None
    return f"{path}: likely holds {form[1]} columns of {form[0]}, not {width} of float32; set data.columns"


def find_columns(path: Path) -> list[str] | None:
    """The columns of a ``.bin`` or ``.npy`` file by their number: x, y, z, intensity, then columns not used.

    None where the format names its columns or the number is not clear.
    """
    width = 0
    if path.suffix.lower() == ".npy":
        try:
            width = np.load(path, mmap_mode="r", allow_pickle=False).shape[1]
        except (OSError, ValueError, EOFError, SyntaxError, tokenize.TokenError, IndexError, AttributeError):
            return None
    elif path.suffix.lower() == ".bin" and path.is_file():
        form = bin_form(path)
        width = form[1] if form and form[0] == "float32" else 0
    if width < 3:
        return None
    return [*DEFAULT, *(SKIP for _ in range(width))][:width]
