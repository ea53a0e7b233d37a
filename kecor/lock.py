"""A lock on a folder, so that two processes never write to one work directory."""

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
    """Hold ``folder`` for this process; it is created if it does not exist.

    The operating system releases the lock when the process ends, even when it is killed. The file itself stays.

    Raises:
        StateError: another process holds the folder (the message names its host and process id), the folder cannot be
            written to, or its file system has no locks.
    """
    with open_lock(folder) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError(
                f"{folder}: in use by {_holder(stream)}; wait for it to end, stop it, or choose another folder"
            ) from error
        except OSError as error:
            raise StateError(
                f"{folder}: cannot be locked: {error.strerror or error}; choose a folder on another file system"
            ) from error
        write_holder(stream)
        yield


def holds_nothing(folder: Path) -> bool:
    """Whether ``folder`` is missing, or a folder with nothing in it but its lock."""
    return not folder.exists() or (folder.is_dir() and all(path.name == LOCK for path in folder.iterdir()))


def open_lock(folder: Path) -> IO[str]:
    """The lock file of ``folder``, open for reading and writing. A symbolic link in its place is not followed.

    Raises:
        StateError: the folder cannot be written to, or the lock file is something other than a file.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        return open(number, "a+", encoding="utf-8")  # noqa: PTH123
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror or error}") from error


def write_holder(stream: IO[str]) -> None:
    """Write host name and process id of this process into the lock file."""
    with contextlib.suppress(OSError):  # on a full disk the lock still holds
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
