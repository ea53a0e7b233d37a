"""Reading and writing frame sets: one ``.npz`` file, or a folder of ``.npy`` files, which may be larger than memory."""

from __future__ import annotations

import difflib
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np

from kecor.errors import DataError
from kecor.files import check_regular, write_atomic
from kecor.frame_sets.detections import detection_arrays, take_detections
from kecor.frame_sets.npz import write_npz
from kecor.frame_sets.schema import ARRAYS
from kecor.frame_sets.validation import check_arrays
from kecor.memory import available_memory
from kecor.structures import FrameSet

BROKEN = (ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error, TokenError)
"""Exceptions that numpy and zipfile raise for damaged, truncated or other files."""
USE_FOLDER = "use a folder of .npy files, which are memory-mapped"
MAPPED = 1 << 20
"""``.npy`` files of at least this many bytes are memory-mapped."""
MAX_IDS = 1 << 30
"""Maximum size of ``ids.npy`` in bytes: about ten million names of 25 characters."""


def read_frames(path: str | Path) -> FrameSet:
    """Read and check the frames in an ``.npz`` file or a folder of ``.npy`` files.

    The arrays are ``ids`` and those of :data:`~kecor.frame_sets.schema.ARRAYS`. Large ``.npy`` files are memory-mapped.
    Pickled objects are never loaded.

    Raises:
        DataError: the file is missing, damaged or too large, or an array is unknown, missing or wrong. The message
            names the file, the array and, if applicable, the row and the frame.
    """
    path = Path(path)
    arrays = check_arrays(dict(_folder(path) if path.is_dir() else _archive(path)), str(path))
    ids, detections = arrays.pop("ids"), take_detections(arrays)
    return FrameSet(ids, arrays, detections)


def write_frames(path: str | Path, frames: FrameSet) -> None:
    """Write ``frames`` for :func:`read_frames`: to one file if ``path`` ends in ``.npz``, else to a folder.

    Arrays that the folder already has are replaced.

    Raises:
        DataError: the frames have an array that is not in the schema or that :func:`read_frames` would reject, or the
            file cannot be written.
    """
    path = Path(path)
    given = {**frames.feats, **frames.meta}
    for name in given:
        _check_name(name, path)
    arrays = check_arrays({"ids": frames.ids, **given, **detection_arrays(frames, path)}, str(path))
    try:
        if path.suffix == ".npz":
            write_atomic(path, lambda stream: write_npz(stream, arrays))
            return
        for name in ("ids", *ARRAYS):
            (path / f"{name}.npy").unlink(missing_ok=True)
        for name in reversed(arrays):  # ids are written last: they mark the folder as finished
            write_atomic(path / f"{name}.npy", partial(_save, arrays[name]))
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def _save(array: np.ndarray, stream: BinaryIO) -> None:
    np.save(stream, array)


def _archive(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and array of each member of an ``.npz`` file."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    check_regular(path)
    try:
        archive = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped if it is a single array
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except BROKEN as error:
        raise DataError(f"{path}: is not an .npz file (as np.savez writes), or is damaged or truncated") from error
    if isinstance(archive, np.ndarray):
        raise DataError(f"{path}: is a single array; expected an .npz file, or a folder of .npy files")
    with archive:
        for name in archive.files:
            _check_name(name, path)
        _check_members(archive.zip.infolist(), path)
        for name in archive.files:
            yield name, _loaded(partial(archive.__getitem__, name), f"{path}: {name}")


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Check that the uncompressed members, by the archive's directory, fit in memory together."""
    available, needed = available_memory(), sum(member.file_size for member in members)
    if needed > available:
        largest = max(members, key=lambda member: member.file_size)
        name = largest.filename.removesuffix(".npy")
        raise DataError(
            f"{path}: {name}: does not fit in memory: it has {largest.file_size} bytes, "
            f"all arrays {needed}, and {available:.0f} are available; {USE_FOLDER}"
        )


def _folder(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and array of each ``.npy`` file of a folder; other files are ignored."""
    if not (path / "ids.npy").is_file():
        raise DataError(f"{path}: contains no ids.npy; expected a folder with ids.npy and one NAME.npy for each array")
    for file in sorted(path.glob("*.npy")):
        if not file.name.startswith("."):
            _check_name(file.stem, path)
            check_regular(file, MAX_IDS if file.stem == "ids" else None)
            load = partial(np.load, file, allow_pickle=False)
            if file.stat().st_size >= MAPPED:
                load = partial(load, mmap_mode="r")
            yield file.stem, _loaded(load, str(file))


def _loaded(load: Callable[[], object], where: str) -> np.ndarray:
    try:
        array = load()
    except MemoryError as error:
        raise DataError(f"{where}: does not fit in memory; {USE_FOLDER}") from error
    except BROKEN as error:
        has_objects = "bject" in str(error)  # numpy refuses pickled objects with a ValueError
        reason = "contains Python objects, which are not loaded" if has_objects else f"cannot be read: {error}"
        raise DataError(f"{where}: {reason}") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{where}: is not an array")
    return array


def _check_name(name: str, path: Path) -> None:
    known = ["ids", *ARRAYS]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known arrays: {', '.join(known)}"
        raise DataError(f"{path}: unknown array {name!r}; {hint}")
