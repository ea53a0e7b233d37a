"""Validation of the arrays that describe a set of frames. Errors name the array, the row and the frame."""

from __future__ import annotations

import numpy as np

from kecor.errors import DataError
from kecor.frame_ids import check_frame_name
from kecor.frame_sets.schema import ARRAYS, COUNTS, FLAGS, LABELS, Kind
from kecor.progress import progress_bar

VALUES_AT_ONCE = 1 << 22
"""Number of values checked at once; arrays on disk may be larger than memory."""


def check_arrays(arrays: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Check the arrays of a set of frames and convert some of them.

    Features, scores and targets of RoIs outside the mask are not checked.

    Args:
        arrays: ``ids``, and arrays named as in :data:`~kecor.frame_sets.schema.ARRAYS`.
        where: the file, for error messages.

    Returns:
        The arrays, with ids as text, masks as bool, counts and labels as int64, and the others unchanged.

    Raises:
        DataError: an array is missing or has a wrong type, shape or value.
    """
    if "ids" not in arrays:
        raise DataError(f"{where}: ids is missing; expected shape (N,), the name of each frame")
    ids = _text_ids(arrays["ids"], where)
    given = {name: np.asanyarray(arrays[name]) for name in ARRAYS if name in arrays}
    lengths = {"N": (len(ids), "ids"), "N + 1": (len(ids) + 1, "ids")}
    for name, array in given.items():
        for partner in ARRAYS[name].partners:
            if partner not in given:
                hint = "; if every RoI is valid, use np.ones((N, R), bool)" if partner == "roi_mask" else ""
                raise DataError(f"{where}: {partner} {ARRAYS[partner].shape} is missing: {name} needs it{hint}")
        _check_type(name, array, where)
        _check_shape(name, array, lengths, where)
    if "det_offsets" in given:
        given["det_offsets"] = _offsets(given["det_offsets"], len(given["det_boxes"]), ids, where)
    for name, array in sorted(given.items(), key=lambda item: item[1].nbytes):  # small arrays are checked first
        _check_values(name, array, ids, given, where)
        kind = ARRAYS[name].kind
        if kind in (COUNTS, LABELS, FLAGS):
            given[name] = array.astype(bool if kind is FLAGS else np.int64)
    return {"ids": ids, **given}


def _text_ids(ids: np.ndarray, where: str) -> np.ndarray:
    """(N,) ids as text; bytes are decoded as UTF-8 and integers formatted."""
    ids = np.asarray(ids)
    if ids.ndim != 1:
        raise DataError(f"{where}: ids: expected shape (N,), got {ids.shape}")
    if ids.size and ids.dtype.kind not in "USiu":
        raise DataError(f"{where}: ids: expected text or integers, got {ids.dtype}")
    names: list[str] = []
    first: dict[str, int] = {}
    for row, value in enumerate(ids.tolist()):
        try:
            name = value.decode() if isinstance(value, bytes) else str(value)
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: ids: row {row}: the bytes {value!r} are not valid UTF-8") from error
        if not name.strip():
            raise DataError(f"{where}: ids: row {row} is empty")
        check_frame_name(name, f"{where}: ids: row {row}")
        if first.setdefault(name, row) != row:
            raise DataError(f"{where}: ids: row {row}: {name!r} is a duplicate of row {first[name]}")
        names.append(name)
    return np.array(names, dtype=str)


def _check_type(name: str, array: np.ndarray, where: str) -> None:
    kind, dtype = ARRAYS[name].kind, array.dtype
    if dtype.kind not in kind.letters or dtype.itemsize > 8:
        raise DataError(f"{where}: {name}: expected {kind.words} of at most 64 bits, got {dtype}")
    if not dtype.isnative:
        raise DataError(f"{where}: {name}: has a different byte order ({dtype.str}) than this machine; convert it")


def _check_shape(name: str, array: np.ndarray, lengths: dict[str, tuple[int, str]], where: str) -> None:
    """Check one shape against ``lengths`` (axis -> length and the array that set it), and add its own axes.

    The axes of targets are checked by the method that reads them, except that with RoIs and three axes the second one
    is the RoI.
    """
    axes, fits = ARRAYS[name].axes, array.ndim == len(ARRAYS[name].axes)
    if name == "targets" and not (fits and "R" in lengths):
        axes, fits = axes[:1], array.ndim > 0
    if not fits:
        raise DataError(f"{where}: {name}: expected shape {ARRAYS[name].shape}, got {array.shape}")
    for axis, length in zip(axes, array.shape):
        known, by = lengths.setdefault(axis, (length, name))
        if length != known:
            raise DataError(f"{where}: {name}: {axis} is {length} in shape {array.shape}, but {known} in {by}")
    if name == "det_boxes" and array.shape[1] not in (7, 4):
        raise DataError(f"{where}: det_boxes: expected 7 columns (3D) or 4 (2D), got shape {array.shape}")
    if name == "pass_boxes" and array.shape[3] != 7:
        raise DataError(f"{where}: pass_boxes: expected 7 columns (3D), got shape {array.shape}")


def _offsets(offsets: np.ndarray, n_rows: int, ids: np.ndarray, where: str) -> np.ndarray:
    """(N + 1,) int64 offsets, checked to start at 0, not to decrease and to end at the number of detections."""
    offsets = offsets.astype(np.int64)
    if offsets[0] != 0:
        raise DataError(f"{where}: det_offsets: row 0 is {offsets[0]}, not 0")
    decreasing = np.flatnonzero(np.diff(offsets) < 0)
    if len(decreasing):
        i = decreasing[0]
        raise DataError(
            f"{where}: det_offsets: row {i + 1} is {offsets[i + 1]}, below the {offsets[i]} of row {i}: frame "
            f"{str(ids[i])!r} would have a negative number of detections"
        )
    if offsets[-1] != n_rows:
        raise DataError(
            f"{where}: det_offsets: the last row, {len(ids)}, is {offsets[-1]}; det_boxes has {n_rows} rows"
        )
    return offsets


def _check_values(name: str, array: np.ndarray, ids: np.ndarray, given: dict[str, np.ndarray], where: str) -> None:
    """Check every value (of RoIs, those inside the mask) and that labels are columns of the logits."""
    axes, kind, mask = ARRAYS[name].axes, ARRAYS[name].kind, given.get("roi_mask")
    by_roi = "R" in axes and array.ndim == len(axes) and mask is not None  # targets (N, T) belong to whole frames
    index = _first_invalid(name, array, kind, mask if by_roi and name != "roi_mask" else None)
    fault = kind.fault
    if index is None and name == "det_labels" and "det_logits" in given:
        over = np.flatnonzero(array >= given["det_logits"].shape[1])
        index = (int(over[0]),) if len(over) else None
        fault = f"is not a column of det_logits, which has {given['det_logits'].shape[1]}; classes count from 0"
    if index is None:
        return
    row, place = index[0], ""
    if "N" in axes:
        place = f" (frame {str(ids[row])!r})" + (f", RoI {index[1]}" if by_roi else "")
    elif "M" in axes:
        frame = int(np.searchsorted(given["det_offsets"], row, side="right")) - 1
        place = f" (frame {str(ids[frame])!r})"
    raise DataError(f"{where}: {name}: row {row}{place}: {array[index]} {fault}")


def _first_invalid(name: str, array: np.ndarray, kind: Kind, mask: np.ndarray | None) -> tuple[int, ...] | None:
    """Index of the first value, inside ``mask`` (N, R), that ``kind`` does not allow; None if all are valid."""
    step = max(1, VALUES_AT_ONCE // max(1, array[:1].size))
    with progress_bar(f"check {name}", len(array), "row", delay=3.0) as bar:
        for start in range(0, len(array), step):
            block = np.asarray(array[start : start + step])
            invalid = ~kind.is_valid(block)
            if mask is not None:
                part = np.asarray(mask[start : start + step], bool)
                invalid &= part.reshape(*part.shape, *[1] * (invalid.ndim - 2))
            if invalid.any():
                inner = np.unravel_index(int(invalid.argmax()), invalid.shape)
                return (start + int(inner[0]), *map(int, inner[1:]))
            bar.update(len(block))
    return None
