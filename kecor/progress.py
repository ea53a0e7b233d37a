"""Progress bars, all of one kind: lively on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys

from tqdm import tqdm


def progress_bar(name: str, total: int | None, unit: str, shown: bool = True, delay: float = 0.0) -> tqdm:
    """A bar on standard error, to be used in a ``with`` block; it appears after ``delay`` seconds."""
    interval = 0.2 if sys.stderr.isatty() else 30.0
    return tqdm(desc=name, total=total, unit=unit, disable=not shown, mininterval=interval, delay=delay)
