"""A lock on a folder: two processes never write to one work directory."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from kecor.errors import StateError

LOCK = ".lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder``, which is made when it does not exist, for this process.

    The operating system releases the lock when the process ends, however it ends: a file left behind is no lock.

    Raises:
        StateError: another process holds the folder (the message names its host and process id), or the folder cannot
            be written to.
    """
    with open_lock(folder) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError(
                f"{folder}: in use by {_holder(stream)}; wait for it to end, stop it, or choose another folder"
            ) from error
        write_holder(stream)
        yield


def open_lock(folder: Path) -> IO[str]:
    """The lock file of ``folder``, open for reading and writing.

    Raises:
        StateError: the folder cannot be written to.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror or error}") from error


def write_holder(stream: IO[str]) -> None:
    """Write host and process id of this process into the lock file."""
    with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
        stream.truncate(0)
        stream.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
        stream.flush()


def _holder(stream: IO[str]) -> str:
    try:
        stream.seek(0)
        holder = json.loads(stream.read())
        return f"process {int(holder['pid'])} on {holder['host']}"
    except (ValueError, KeyError, TypeError, OSError):
        return "another process"
