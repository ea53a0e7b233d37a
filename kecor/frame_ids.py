"""Frame ids become file names: which ones may, and how a file named by one stays in its folder."""

from __future__ import annotations

import re
from pathlib import Path

from kecor.errors import DataError

MAX_BYTES = 200
"""Of each part of an id: file systems allow 255, of which an ending needs some."""
MAX_NAME = 1000
"""Characters of the name of a frame in a set of outputs, which may be a path."""
_PART = re.compile(r"[\w+-][\w.+-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def check_frame_id(text: str, where: str) -> str:
    """``text``, if it is a frame id: letters, digits and ``- _ . +``, with at most one folder before a ``/``.

    No part begins with a dot, ``..`` stands nowhere, and a part has at most 200 bytes.

    Args:
        text: what may be an id.
        where: the file and line or the option it comes from, for the error.

    Raises:
        DataError: it is none.
    """
    parts = text.split("/")
    fits = len(parts) <= 2 and ".." not in text
    if not fits or not all(_PART.fullmatch(part) and len(part.encode()) <= MAX_BYTES for part in parts):
        raise DataError(
            f"{where}: {text[:80]!r} is no frame id: expected letters, digits and - _ . + with at most one folder, "
            "as in 000003 or scene_1/000003"
        )
    return text


def check_frame_name(text: str, where: str) -> str:
    """``text``, if it is fit to name a frame of any detector's outputs.

    Such names need not be ids: spaces, other signs and several folders are allowed. They are written to lists and
    shown on terminals, and scripts make file names of them, so that what leaves a folder, breaks a line or is
    longer than 1,000 characters is refused.

    Raises:
        DataError: it is not; as for :func:`check_frame_id`.
    """
    parts = re.split(r"[/\\]", text)
    if parts[0] == "" or re.match(r"[A-Za-z]:[/\\]", text):
        fault = "begins at the root of a disk; write the path inside its folder"
    elif ".." in parts:
        fault = "leaves its folder by '..'"
    elif _CONTROL.search(text):
        fault = "holds a line break or another control character"
    elif len(text) > MAX_NAME:
        fault = f"has {len(text)} characters; at most {MAX_NAME} are taken"
    else:
        return text
    raise DataError(f"{where}: {text[:80]!r} {fault}")


def inside_folder(folder: str | Path, name: str) -> Path:
    """``folder / name``, which must lie in ``folder`` when all links are followed.

    Raises:
        DataError: it lies elsewhere.
    """
    folder = Path(folder)
    path = folder / name
    inside, within = path.resolve(), folder.resolve()
    if inside == within or not inside.is_relative_to(within):
        raise DataError(f"{name!r} lies outside {folder}: {inside}; nothing is written there")
    return path


def ids_in(folder: str | Path, suffix: str = ".txt") -> set[str]:
    """The ids of the files ``<id><suffix>`` in a folder and in its folders."""
    folder = Path(folder)
    files = [*folder.glob(f"*{suffix}"), *folder.glob(f"*/*{suffix}")]
    return {path.relative_to(folder).as_posix().removesuffix(suffix) for path in files}
