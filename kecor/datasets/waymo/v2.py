"""Waymo's v2 files: Parquet, one file a component and segment, ``ROOT/COMPONENT/SEGMENT.parquet``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kecor.datasets.waymo.raw import LABEL, LASER_NAMES, Laser, RawFrame, check_labels, rigid
from kecor.datasets.waymo.v1 import image, inclinations
from kecor.errors import DataError, KecorError

CONTEXT, TIME, LASER = "key.segment_context_name", "key.frame_timestamp_micros", "key.laser_name"
_RETURNS = [f"[LiDARComponent].range_image_return{k}" for k in (1, 2)]
_PARTS = ("values", "shape")
_PIXEL_POSE = "[LiDARPoseComponent].range_image_return1"
_EXTRINSIC = "[LiDARCalibrationComponent].extrinsic.transform"
_INCLINATION = "[LiDARCalibrationComponent].beam_inclination"
_POSE = "[VehiclePoseComponent].world_from_vehicle.transform"
_BATCH = 5
"""Rows decoded at once; a row of ``lidar`` holds the two range images of one laser."""
_ID = "key.laser_object_id"
_LABEL_COLUMNS = {
    "type": ["type"],
    "box": [*(f"box.{part}.{axis}" for part in ("center", "size") for axis in "xyz"), "box.heading"],
    "n_points": ["num_lidar_points_in_box"],
    "n_top_points": ["num_top_lidar_points_in_box"],
    "difficulty": ["difficulty_level.detection"],
    "tracking_difficulty": ["difficulty_level.tracking"],
    "speed": [f"speed.{axis}" for axis in "xyz"],
    "acceleration": [f"acceleration.{axis}" for axis in "xyz"],
}


def read_v2(path: str | Path, interval: int = 1) -> Iterator[tuple[int, RawFrame]]:
    """Number and content of every ``interval``-th frame of the segment of which ``path`` is the ``lidar`` file.

    Frames are numbered by time and come as their rows are complete. The components ``lidar_pose``,
    ``lidar_calibration`` and ``vehicle_pose`` lie in folders beside ``lidar``; without ``lidar_box`` there are no
    labels. No-label zones exist as flags of points only.

    Raises:
        DataError: a file is missing or damaged, or files do not fit together; names it and the time stamp.
        KecorError: pyarrow is not installed.
    """
    segment = _Segment(Path(path), interval)
    left = Counter(int(row[TIME]) for row in _rows(segment.path, [TIME]))
    if left.keys() - segment.poses.keys():
        time = min(left.keys() - segment.poses.keys())
        raise DataError(f"{path}: timestamp {time} is not in the component vehicle_pose; download both again")
    for time in sorted(segment.wanted - left.keys()):
        yield segment.frame(time, [])
    lasers: dict[int, list[Laser]] = defaultdict(list)
    for row in _rows(segment.path, [TIME, LASER, *(f"{name}.{part}" for name in _RETURNS for part in _PARTS)]):
        time = int(row[TIME])
        left[time] -= 1
        if time in segment.wanted:
            lasers[time].append(segment.laser(row))
            if not left[time]:
                yield segment.frame(time, lasers.pop(time))


class _Segment:
    """The small files of a segment, read at once, and its pixel poses, read as they are needed."""

    def __init__(self, path: Path, interval: int) -> None:
        self.path = path
        self.name = path.stem
        self.poses = {int(row[TIME]): row[_POSE] for row in _rows(self._file("vehicle_pose"), [TIME, _POSE])}
        self.times = sorted(self.poses)
        self.wanted = set(self.times[::interval])
        keys = [f"{_INCLINATION}.{part}" for part in ("min", "max", "values")]
        rows = _rows(self._file("lidar_calibration"), [LASER, _EXTRINSIC, *keys])
        self.calibrations = {int(row[LASER]): row for row in rows}
        boxes = self._file("lidar_box")
        self.labels = _labels(boxes) if boxes.exists() else {}
        self.pixel_poses = _PixelPoses(self._file("lidar_pose"), self.wanted)

    def _file(self, component: str) -> Path:
        return self.path.parent.parent / component / self.path.name

    def frame(self, time: int, lasers: list[Laser]) -> tuple[int, RawFrame]:
        """Number and content of a frame."""
        pose = rigid(self.poses[time], f"{self._file('vehicle_pose')}: timestamp {time}")
        lasers = sorted(lasers, key=lambda laser: laser.name)
        labels = self.labels.get(time, np.zeros(0, LABEL))
        return self.times.index(time), RawFrame(self.name, time, pose, lasers, labels)

    def laser(self, row: dict[str, Any]) -> Laser:
        """One laser of a frame, from its row of ``lidar``."""
        name, time = int(row[LASER]), int(row[TIME])
        where = f"{self.path}: timestamp {time}"
        if not 1 <= name <= len(LASER_NAMES) or name not in self.calibrations:
            raise DataError(f"{where}: laser {name} is unknown or not in {self._file('lidar_calibration')}")
        where, calibration = f"{where}: laser {LASER_NAMES[name - 1]}", self.calibrations[name]
        returns = [_image(row, key, 4, where) for key in _RETURNS if row[f"{key}.values"] is not None]
        pose = self.pixel_poses(time) if name == 1 and returns else None
        if len({array.shape[:2] for array in [*returns, *([] if pose is None else [pose])]}) > 1:
            raise DataError(f"{where}: its range images differ in size: {[array.shape for array in returns]}")
        values, low, high = (calibration[f"{_INCLINATION}.{part}"] for part in ("values", "min", "max"))
        height = returns[0].shape[0] if returns else 0
        rows = inclinations(np.zeros(0) if values is None or not height else values, (low, high), height, where)
        return Laser(name, rigid(calibration[_EXTRINSIC], f"{where}: extrinsic"), rows, returns, pose)


class _PixelPoses:
    """The (H, W, 6) pixel poses of TOP at wanted time stamps. The file is read forward, as far as it takes."""

    def __init__(self, path: Path, wanted: set[int]) -> None:
        self.path = path
        self.wanted = wanted
        self.ahead: dict[int, np.ndarray] = {}
        self.rows = _rows(path, [TIME, *(f"{_PIXEL_POSE}.{part}" for part in _PARTS)])

    def __call__(self, time: int) -> np.ndarray:
        while time not in self.ahead:
            row = next(self.rows, None)
            if row is None:
                raise DataError(f"{self.path}: has no pixel poses of timestamp {time}; download the file again")
            if int(row[TIME]) in self.wanted:
                where = f"{self.path}: timestamp {row[TIME]}"
                self.ahead[int(row[TIME])] = _image(row, _PIXEL_POSE, 6, where)
        return self.ahead.pop(time)


def _rows(path: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, a few at a time: column -> number, text, array of a list, or None."""
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise KecorError(f"Waymo's v2 files need pyarrow ({error}): run `pip install pyarrow`") from error
    if not path.is_file():
        raise DataError(f"{path}: no such file; download the component {path.parent.name} of this segment")
    try:
        with pq.ParquetFile(path) as file:
            missing = set(columns) - set(file.schema_arrow.names)
            if missing:
                raise DataError(f"{path}: has no column {min(missing)}; is it a file of the Waymo Open Dataset v2?")
            for batch in file.iter_batches(_BATCH if len(columns) > 1 else 65536, columns=columns):
                for i in range(batch.num_rows):
                    yield {name: _value(batch.column(name)[i]) for name in columns}
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise DataError(f"{path}: cannot be read: {error}; download it again") from error


def _value(scalar: Any) -> Any:
    if not hasattr(scalar, "values"):
        return scalar.as_py()
    return None if scalar.values is None else scalar.values.to_numpy(zero_copy_only=False)


def _image(row: dict[str, Any], key: str, channels: int, where: str) -> np.ndarray:
    values, shape = row[f"{key}.values"], row[f"{key}.shape"]
    if values is None or shape is None:
        raise DataError(f"{where}: {key} is empty; download the file again")
    data = np.ascontiguousarray(values, "<f4").view(np.uint8)
    return image(data, [int(size) for size in shape], channels, where)


def _labels(path: Path) -> dict[int, np.ndarray]:
    """Time stamp -> (M,) of :data:`LABEL`, of all boxes of a segment."""
    columns = {key: [f"[LiDARBoxComponent].{name}" for name in names] for key, names in _LABEL_COLUMNS.items()}
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(path, [TIME, _ID, *(name for names in columns.values() for name in names)]):
        rows[int(row[TIME])].append(row)
    result = {}
    for time, found in rows.items():
        labels = np.zeros(len(found), LABEL)
        labels["id"] = [str(row[_ID]).encode() for row in found]
        for key, names in columns.items():
            values = np.array([[row[name] or 0 for name in names] for row in found])
            labels[key] = values if labels[key].ndim > 1 else values[:, 0]
        result[time] = check_labels(labels, f"{path}: timestamp {time}")
    return result
