"""What Waymo's metrics are computed from: arrays of objects and of predictions, checked."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from kecor.errors import DataError
from kecor.files import check_regular

N_TYPES = 4
"""Types are 1 vehicle, 2 pedestrian, 3 sign, 4 cyclist."""
FEW_POINTS = 5
"""An object with at most so many points is of LEVEL_2, unless its label says otherwise."""
MAX_BYTES = 1 << 32
"""Largest content of an ``.npz`` file that is read."""
_KINDS = {"frame_id": "iu", "type": "iu", "difficulty": "iu", "num_points": "iu", "overlap_nlz": "biu"}


@dataclass(frozen=True)
class GroundTruth:
    """Labelled objects of any number of frames, in any order.

    Attributes:
        frame_id: (M,) int64.
        boxes: (M, 7) centre x, y, z, length, width, height in metres and heading in radians, vehicle frame.
        type: (M,) int, 1 to 4.
        difficulty: (M,) int, 1 or 2; 0 where the label does not say.
        num_points: (M,) int, LiDAR points in the box.

    Raises:
        DataError: an array has the wrong shape or a value that is out of range.
    """

    frame_id: np.ndarray
    boxes: np.ndarray
    type: np.ndarray
    difficulty: np.ndarray
    num_points: np.ndarray

    def __post_init__(self) -> None:
        _check(self, "ground truth")
        _check_range(self, "ground truth", "difficulty", 0, 2)

    def __len__(self) -> int:
        return len(self.frame_id)

    def prepared(self) -> GroundTruth:
        """The objects that count, each with a difficulty: those without points are left out.

        Waymo's ``compute_detection_metrics_main.cc`` does the same before it calls the metric.
        """
        by_points = np.where(self.num_points <= FEW_POINTS, 2, 1)
        difficulty = np.where(self.difficulty == 0, by_points, self.difficulty)
        return _take(replace(self, difficulty=difficulty), self.num_points > 0)


@dataclass(frozen=True)
class Predictions:
    """Predicted boxes of any number of frames, in any order.

    Attributes:
        frame_id: (N,) int64.
        boxes: (N, 7) as those of :class:`GroundTruth`.
        type: (N,) int, 1 to 4.
        score: (N,) float32 in [0, 1].
        overlap_nlz: (N,) bool, whether the box overlaps a no-label zone: unmatched, it is then no false positive.

    Raises:
        DataError: an array has the wrong shape or a value that is out of range.
    """

    frame_id: np.ndarray
    boxes: np.ndarray
    type: np.ndarray
    score: np.ndarray
    overlap_nlz: np.ndarray

    def __post_init__(self) -> None:
        _check(self, "predictions")
        object.__setattr__(self, "score", self.score.astype(np.float32))
        _check_range(self, "predictions", "score", 0, 1)

    def __len__(self) -> int:
        return len(self.frame_id)


def _take(objects: GroundTruth, keep: np.ndarray) -> GroundTruth:
    return GroundTruth(**{field.name: getattr(objects, field.name)[keep] for field in fields(objects)})


def _check(objects: GroundTruth | Predictions, name: str) -> None:
    """One row an object, of the right kind, with finite boxes of a known type."""
    n = len(np.atleast_1d(objects.frame_id))
    for field in fields(objects):
        array, kinds = getattr(objects, field.name), _KINDS.get(field.name, "fiu")
        shape = (n, 7) if field.name == "boxes" else (n,)
        if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype.kind not in kinds:
            found = f"{getattr(array, 'dtype', type(array))} {getattr(array, 'shape', '')}"
            wanted = {"iu": "integers", "biu": "bool"}.get(kinds, "numbers")
            raise DataError(f"{name}, {field.name}: expected {wanted} of shape {shape}, got {found}")
    _refuse(objects, name, ~np.isfinite(objects.boxes).all(1), "boxes", "is not finite")
    _check_range(objects, name, "type", 1, N_TYPES)


def _check_range(objects: GroundTruth | Predictions, name: str, field: str, low: int, high: int) -> None:
    values = getattr(objects, field)
    _refuse(objects, name, ~((values >= low) & (values <= high)), field, f"is not in {low} to {high}")


def _refuse(objects: GroundTruth | Predictions, name: str, bad: np.ndarray, field: str, reason: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = getattr(objects, field)[row].tolist()
        raise DataError(f"{name}, row {row} (frame {objects.frame_id[row]}): {field} {value} {reason}")


def as_arrays(gt: GroundTruth, predictions: Predictions) -> dict[str, np.ndarray]:
    """What :func:`read_arrays` reads: the arrays by name, starting with ``gt_`` and ``pred_``."""
    named = {f"gt_{name}": array for name, array in vars(gt).items()}
    return {**named, **{f"pred_{name}": array for name, array in vars(predictions).items()}}


def read_arrays(path: str | Path) -> tuple[GroundTruth, Predictions]:
    """Objects and predictions of an ``.npz`` file. ``pred_overlap_nlz`` may be absent; all flags are then false.

    Boxes are rounded to float32, as the official op takes them.

    Raises:
        DataError: the file is missing or damaged, an array is missing or faulty.
    """
    names = [f"gt_{field.name}" for field in fields(GroundTruth)] + [f"pred_{f.name}" for f in fields(Predictions)]
    check_regular(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sum(member.file_size for member in archive.zip.infolist()) > MAX_BYTES:
                raise DataError(f"{path}: holds more than {MAX_BYTES >> 30} GiB; evaluate it in parts")
            arrays = {name: archive[name] for name in names if name in archive.files}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, RuntimeError, MemoryError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error):
        raise DataError(f"{path}: is no .npz file of plain arrays, or is damaged") from None
    arrays.setdefault("pred_overlap_nlz", np.zeros(np.shape(arrays.get("pred_frame_id", ())), bool))
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DataError(f"{path}: holds no array {', '.join(missing)}")
    for name in ("gt_boxes", "pred_boxes"):
        arrays[name] = _float32(arrays[name])
    n_gt = len(fields(GroundTruth))
    try:
        return GroundTruth(*(arrays[name] for name in names[:n_gt])), Predictions(*(arrays[n] for n in names[n_gt:]))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what overflows is refused as not finite
        return array.astype(np.float32) if array.dtype.kind == "f" else array
