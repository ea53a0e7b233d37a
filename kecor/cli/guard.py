"""What all commands share: the form of their parsers, and errors in one line."""

from __future__ import annotations

import argparse
import functools
import os
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


def output_file(text: str) -> Path:
    """The ``type`` of an argument that names a file to write: what cannot work is found before any work is done.

    Folders that are missing are made when the file is written.

    Raises:
        DataError: it is a folder, a device or a pipe, or the folder it would lie in cannot be written to.
    """
    path = Path(text)
    if path.is_dir():
        raise DataError(f"{path}: cannot be written: it is a folder; name a file")
    if path.exists() and not path.is_file():  # a rename would put a file in its place
        raise DataError(f"{path}: cannot be written: it is a device or a pipe; name a file")
    return _writable(path)


def output_folder(text: str) -> Path:
    """The ``type`` of an argument that names a folder to write to; it is made when the first file is written.

    Raises:
        DataError: it is something else, or it cannot be written to.
    """
    path = Path(text)
    _writable(path / "file")
    return path


def _writable(path: Path) -> Path:
    """``path``, if the nearest folder above it that exists can be written to."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise DataError(f"{path}: cannot be written: {folder} is a file, not a folder")
    if not os.access(folder, os.W_OK):
        raise DataError(f"{path}: cannot be written: no permission to write to {folder}")
    return path


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
    """Make a command's ``main`` print a user's mistake as one line and return 2, and 130 on Ctrl-C.

    Besides :class:`KecorError` these are errors of the operating system (a read-only disk, no permission) and a lack of
    memory. A reader of the output that has gone away (``kecor ... | head``) ends the command quietly.
    """

    @functools.wraps(main)
    def guarded() -> int:
        try:
            return main() or 0
        except KecorError as error:
            return _fail(str(error))
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
            return 141
        except OSError as error:
            place = error.filename2 or error.filename
            return _fail(f"{place}: {error.strerror or error}" if place else str(error))
        except MemoryError as error:
            return _fail(f"not enough memory: {str(error) or 'an allocation failed'}")
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130

    return guarded


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2
