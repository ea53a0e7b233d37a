"""Plain-text tables for terminals and logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def format_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """An aligned table: a header line, a rule and one line per row.

    Columns of numbers are right-aligned, others left-aligned. Floats have two decimals; None is a dash.

    Raises:
        ValueError: the number of cells in a row differs from the number of headers.
    """
    for row in rows:
        if len(row) != len(headers):
            raise ValueError(f"expected {len(headers)} cells per row, got {len(row)}: {list(row)!r}")
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *texts)]
    right = [all(_is_number(cell) for cell in column) for column in zip(*rows)] or [False] * len(headers)

    def line(cells: Sequence[str]) -> str:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right))
        return "  ".join(padded).rstrip()

    return "\n".join([line(headers), "  ".join("-" * w for w in widths), *map(line, texts)])


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def _is_number(cell: Any) -> bool:
    return cell is None or (isinstance(cell, (int, float)) and not isinstance(cell, bool))
