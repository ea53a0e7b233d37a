"""Progress bars that update often on a terminal and rarely in a log file."""

from __future__ import annotations

import sys

from tqdm import tqdm


def progress_bar(name: str, total: int | None, unit: str, shown: bool = True, delay: float = 0.0) -> tqdm:
    """A progress bar on standard error for use in a ``with`` block; it appears after ``delay`` seconds."""
    interval = 0.2 if sys.stderr.isatty() else 30.0
    return tqdm(desc=name, total=total, unit=unit, disable=not shown, mininterval=interval, delay=delay)
