"""What every command shares: its parser's form, and errors as one line."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kecor.errors import DataError, KecorError


def command_parser(description: str | None, example: str) -> argparse.ArgumentParser:
    """A parser whose ``--help`` ends in ``example``."""
    return argparse.ArgumentParser(
        description=description, epilog=example, formatter_class=argparse.RawDescriptionHelpFormatter
    )


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Turn an error of the operating system into one that names the output ``out``.

    Raises:
        DataError: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{error.filename2 or error.filename or out}: cannot be written: {error.strerror or error}"
        ) from error


def main_guard(main: Callable[[], int | None]) -> Callable[[], int]:
    """Make a command's ``main`` print a :class:`KecorError` as one line and return 2, and 130 on Ctrl-C."""

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
