"""The layout of a converted data set: one folder a segment, of plain numpy files.

::

    ROOT/ImageSets/{train,val,test}.txt    a segment a line, or SEGMENT/000003 for single frames
    ROOT/segments/SEGMENT/frames.npy       (F,) of FRAME: the frames there are
                          zones.npy        (P, 4) corners of no-label zones: frame number, zone, x, y (global frame)
                          points/000003.npy  (N, 6) float32: x, y, z, intensity as measured, elongation, no-label flag
                          labels/000003.npy  (M,) of LABEL; a frame without the file is not labelled
"""

from __future__ import annotations

import re
import tokenize
from pathlib import Path

import numpy as np

from kecor.datasets.waymo.raw import LABEL
from kecor.errors import DataError
from kecor.files import check_regular, write_atomic

SEGMENTS = "segments"
FRAME = np.dtype([("number", "<i4"), ("timestamp", "<i8"), ("pose", "<f8", (4, 4)), ("n_points", "<i4", (5, 2))])
"""One frame: its number in the segment, microseconds, vehicle to global, points by laser and return."""


def frame_id(segment: str, number: int) -> str:
    """The id of a frame, such as ``SEGMENT/000003``."""
    return f"{segment}/{number:06d}"


def split_id(frame_id: str) -> tuple[str, int]:
    """Segment and number of a frame id.

    Raises:
        DataError: it is no frame id of this layout.
    """
    match = re.fullmatch(r"([A-Za-z0-9_-]+)/(\d{1,9})", frame_id)
    if not match:
        raise DataError(f"frame id {frame_id!r}: expected SEGMENT/NUMBER, such as 1234_000_020/000003")
    return match[1], int(match[2])


def points_path(folder: Path, number: int) -> Path:
    """Where a frame's cloud is."""
    return folder / "points" / f"{number:06d}.npy"


def labels_path(folder: Path, number: int) -> Path:
    """Where a frame's labels are, if it has any."""
    return folder / "labels" / f"{number:06d}.npy"


def write_array(path: Path, array: np.ndarray) -> None:
    """Write a ``.npy`` file atomically."""
    write_atomic(path, lambda stream: np.save(stream, array, allow_pickle=False))


def read_array(path: Path, dtype: np.dtype | type, columns: int | None = None) -> np.ndarray:
    """The array of a ``.npy`` file: (N,) of ``dtype``, or (N, columns).

    Type and shape are read from the file's header, and compared with its size, before anything else is.

    Raises:
        DataError: the file is missing, is no such array, is cut off, or holds Python objects.
    """
    check_regular(path)
    try:
        with np.errstate(over="ignore"):  # an absurd shape overflows before it is refused
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, OverflowError, EOFError, SyntaxError, tokenize.TokenError) as error:
        raise DataError(f"{path}: is no .npy file or is cut off: {error}; convert the segment again") from error
    rows = 1 if columns is None else 2
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != rows:
        raise DataError(f"{path}: expected an array of {np.dtype(dtype)} with {rows} axes, got {_kind(array)}")
    if columns is not None and array.shape[1] != columns:
        raise DataError(f"{path}: expected {columns} columns, got {array.shape[1]}")
    return np.array(array)


def _kind(array: object) -> str:
    return f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"


def read_frames(folder: Path) -> np.ndarray:
    """The (F,) frames of a segment's folder, of :data:`FRAME`.

    Raises:
        DataError: the index is missing or faulty.
    """
    frames = read_array(folder / "frames.npy", FRAME)
    if len(np.unique(frames["number"])) < len(frames) or (frames["number"] < 0).any():
        raise DataError(f"{folder / 'frames.npy'}: frame numbers repeat or are negative; convert the segment again")
    return frames


def read_label_file(folder: Path, number: int) -> np.ndarray:
    """The (M,) labels of a frame, of :data:`~kecor.datasets.waymo.raw.LABEL`.

    Raises:
        DataError: the frame is not labelled, or the file is faulty.
    """
    path = labels_path(folder, number)
    if not path.exists():
        raise DataError(f"{path}: no such file: the frame is not labelled")
    return read_array(path, LABEL)


class SegmentStore:
    """The segments of a converted data set."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders = {path.name: path for path in sorted((root / SEGMENTS).iterdir()) if path.is_dir()}
        self._frames: dict[str, np.ndarray] = {}

    def frames(self, segment: str) -> np.ndarray:
        """The (F,) frames of a segment, of :data:`FRAME`, by number."""
        if segment not in self._frames:
            self._frames[segment] = np.sort(read_frames(self.folders[segment]), order="number")
        return self._frames[segment]

    def numbers(self, segment: str) -> list[int]:
        """The numbers of a segment's frames."""
        return self.frames(segment)["number"].tolist()

    def points(self, segment: str, number: int) -> np.ndarray:
        """The (N, 6) cloud of a frame."""
        return read_array(points_path(self.folders[segment], number), np.float32, 6)

    def is_labelled(self, segment: str, number: int) -> bool:
        """Whether the frame has a label file."""
        return labels_path(self.folders[segment], number).exists()

    def labels(self, segment: str, number: int) -> np.ndarray:
        """The (M,) labels of a labelled frame."""
        return read_label_file(self.folders[segment], number)

    def timestamp(self, segment: str, number: int) -> int | None:
        """Microseconds."""
        return int(self._frame(segment, number)["timestamp"])

    def pose(self, segment: str, number: int) -> np.ndarray:
        """(4, 4) vehicle to global."""
        return self._frame(segment, number)["pose"]

    def zones(self, segment: str, number: int) -> list[np.ndarray]:
        """The frame's no-label zones, (K, 2) corners in the global frame."""
        path = self.folders[segment] / "zones.npy"
        if not path.exists():
            return []
        corners = read_array(path, np.float64, 4)
        corners = corners[corners[:, 0] == number]
        return [corners[corners[:, 1] == zone, 2:] for zone in np.unique(corners[:, 1])]

    def _frame(self, segment: str, number: int) -> np.void:
        frames = self.frames(segment)
        row = int(np.searchsorted(frames["number"], number))
        if row == len(frames) or frames["number"][row] != number:
            raise DataError(f"{self.folders[segment]}: has no frame {number}")
        return frames[row]
