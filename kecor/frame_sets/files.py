"""Sets of frames in files: one ``.npz``, or for large pools a folder of ``.npy`` files that need not fit in memory."""

from __future__ import annotations

import difflib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np

from kecor.errors import DataError
from kecor.files import check_regular, write_atomic
from kecor.frame_sets.npz import write_npz
from kecor.frame_sets.schema import ARRAYS
from kecor.frame_sets.validation import check_arrays
from kecor.memory import available_memory
from kecor.structures import Detections, FrameSet

BROKEN = (ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error, TokenError)
"""What numpy and zipfile raise for files that are damaged, cut short or something else."""
MAPPED = 1 << 20
"""Size in bytes from which a ``.npy`` file is mapped instead of read."""
MAX_IDS = 1 << 30
"""Bytes of the longest list of ids: ten million names of 25 characters."""
COLUMNS = {f"det_{name}": name for name in ("boxes", "scores", "labels", "logits", "n_points")}
"""Array -> field of :class:`~kecor.structures.Detections`."""


def read_frames(path: str | Path) -> FrameSet:
    """The frames in an ``.npz`` file or a folder of ``.npy`` files, all checked. No pickled object is ever loaded.

    The arrays are those of :data:`~kecor.frame_sets.schema.ARRAYS`, and ``ids``. Large ``.npy`` files are mapped.

    Raises:
        DataError: the file is missing, damaged or too large, or an array is unknown, missing or wrong; the message
            names the file, the array and, where there is one, the row and the frame.
    """
    path = Path(path)
    arrays = check_arrays(dict(_folder(path) if path.is_dir() else _archive(path)), str(path))
    ids, detections = arrays.pop("ids"), _detections(arrays)
    return FrameSet(ids, arrays, detections)


def write_frames(path: str | Path, frames: FrameSet) -> None:
    """Write ``frames`` so that :func:`read_frames` gives them back: to one file when ``path`` ends in ``.npz``, else to
    a folder, in which they replace what it held.

    Raises:
        DataError: the frames carry something that has no place in a file, or that :func:`read_frames` would refuse; or
            the file cannot be written.
    """
    path = Path(path)
    given = {**frames.feats, **frames.meta}
    for name in given:
        _check_name(name, path)
    arrays = check_arrays({"ids": frames.ids, **given, **_columns(frames, path)}, str(path))
    try:
        if path.suffix == ".npz":
            write_atomic(path, lambda stream: write_npz(stream, arrays))
            return
        for name in ("ids", *ARRAYS):
            (path / f"{name}.npy").unlink(missing_ok=True)
        for name in reversed(arrays):  # ids come last: a folder without them is not finished
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
        archive = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped where it is a single array after all
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except BROKEN as error:
        raise DataError(f"{path}: is no .npz file (what np.savez writes), or is damaged or cut short") from error
    if isinstance(archive, np.ndarray):
        raise DataError(f"{path}: is a single array; expected an .npz file, or a folder of .npy files")
    with archive:
        for name in archive.files:
            _check_name(name, path)
        _check_members(archive.zip.infolist(), path)
        for name in archive.files:
            yield name, _loaded(lambda name=name: archive[name], f"{path}: {name}")


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Check by the archive's own list that its members, once unpacked, fit in memory together."""
    there, needed = available_memory(), sum(member.file_size for member in members)
    if needed > there:
        largest = max(members, key=lambda member: member.file_size)
        name = largest.filename.removesuffix(".npy")
        raise DataError(
            f"{path}: {name}: does not fit in memory: it has {largest.file_size} bytes, "
            f"all arrays {needed}, and {there:.0f} are free; give a folder of .npy files, which are mapped"
        )


def _folder(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and array of each ``.npy`` file of a folder; other files are passed over."""
    if not (path / "ids.npy").is_file():
        raise DataError(f"{path}: holds no ids.npy: expected a folder with ids.npy and one NAME.npy for each array")
    for file in sorted(path.glob("*.npy")):
        if not file.name.startswith("."):
            _check_name(file.stem, path)
            check_regular(file, MAX_IDS if file.stem == "ids" else None)
            mode = "r" if file.stat().st_size >= MAPPED else None
            yield file.stem, _loaded(lambda f=file, m=mode: np.load(f, mmap_mode=m, allow_pickle=False), str(file))


def _loaded(load, where: str) -> np.ndarray:
    try:
        array = load()
    except MemoryError as error:
        raise DataError(f"{where}: does not fit in memory; give a folder of .npy files, which are mapped") from error
    except BROKEN as error:
        reason = "holds Python objects, which are not loaded" if "bject" in str(error) else f"cannot be read: {error}"
        raise DataError(f"{where}: {reason}") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{where}: is no array")
    return array


def _check_name(name: str, path: Path) -> None:
    known = ["ids", *ARRAYS]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known arrays: {', '.join(known)}"
        raise DataError(f"{path}: unknown array {name!r}; {hint}")


def _detections(arrays: dict[str, np.ndarray]) -> list[Detections]:
    """One :class:`Detections` a frame, taken out of ``arrays``; empty where there are none."""
    if "det_offsets" not in arrays:
        return []
    spans = list(pairwise(arrays.pop("det_offsets").tolist()))
    columns = {field: np.asarray(arrays.pop(name)) for name, field in COLUMNS.items() if name in arrays}
    return [Detections(**{field: column[a:b] for field, column in columns.items()}) for a, b in spans]


def _columns(frames: FrameSet, path: Path) -> dict[str, np.ndarray]:
    """The detections of all frames end to end, by array; empty where there are none."""
    if not frames.detections:
        return {}
    columns = {"det_offsets": np.concatenate([[0], np.cumsum(frames.n_boxes())]).astype(np.int64)}
    for name, field in COLUMNS.items():
        parts = [getattr(d, field) for d in frames.detections]
        if all(part is None for part in parts):
            continue
        for frame_id, part, boxes in zip(frames.ids, parts, frames.n_boxes()):
            if part is None or len(part) != boxes:
                has = "none" if part is None else len(part)
                raise DataError(f"{path}: {name}: frame {str(frame_id)!r} has {has} for {boxes} boxes")
        columns[name] = _joined([np.asarray(part) for part in parts], f"{path}: {name}")
    return columns


def _joined(parts: list[np.ndarray], where: str) -> np.ndarray:
    """``parts`` end to end; those without rows have no say in the type and the columns, unless all are."""
    try:
        return np.concatenate([part for part in parts if len(part)] or parts[:1])
    except ValueError as error:
        raise DataError(f"{where}: the frames' arrays differ in shape: {error}") from error
