"""What every command-line tool shares."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

from kecor.errors import KecorError


def main_guard(main: Callable[[], int | None]) -> Callable[[], int]:
    """Make a tool's ``main`` print a :class:`KecorError` as one line and return 2, and 130 on Ctrl-C."""

    @functools.wraps(main)
    def guarded() -> int:
        try:
            return main() or 0
        except KecorError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130

    return guarded
