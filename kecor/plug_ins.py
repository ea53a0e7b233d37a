"""Faults in a user's own code, described in one line with the file and line where they happened."""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path

from kecor.errors import ConfigError, KecorError

PACKAGE = str(Path(__file__).parent)
IMPORT_SYSTEM = str(Path(importlib.__file__).parent)
MAX_MESSAGE = 300
"""Characters of a fault's own message that are shown."""
FAULTS = (Exception, SystemExit)
"""What a plug-in may raise; Ctrl-C still stops the program."""


def import_plug_in(load: Callable[[], object], where: str) -> None:
    """Call ``load``, which imports a user's module; ``where`` names the module and who asked for it.

    Raises:
        ConfigError: the import failed. The message gives the fault, and its file and line where it lies in a module.
        KecorError: raised by the module itself.
    """
    try:
        load()
    except KecorError:
        raise
    except FAULTS as error:
        raise ConfigError(f"{where} cannot be imported: {describe_fault(error)}") from error


def describe_fault(error: BaseException, file: str | None = None) -> str:
    """``error`` in one line, as in ``ValueError: no frames (my_method.py:12)``.

    Args:
        error: as it was caught.
        file: the plug-in's source file. The innermost line of that file is named; without one, the innermost line
            outside kecor and the import system.
    """
    message = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())[:MAX_MESSAGE]
    place = _place(error, file)
    return f"{type(error).__name__}: {message}" + (f" ({place})" if place else "")


def source_file(plug_in: object) -> str | None:
    """The file that defines the class of ``plug_in``; None where it has none."""
    try:
        return inspect.getsourcefile(type(plug_in))
    except TypeError:  # a class made in C
        return None


def _place(error: BaseException, file: str | None) -> str | None:
    """``FILE:LINE`` of a fault; None when it lies in no user's code, as for a module that does not exist."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}" if error.lineno else error.filename
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    own = [frame for frame in frames if frame.filename == file]
    if not own and file is not None:
        own = frames
    if not own:
        own = [frame for frame in frames if not frame.filename.startswith((PACKAGE, IMPORT_SYSTEM))]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else None
