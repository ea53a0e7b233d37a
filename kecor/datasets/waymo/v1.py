"""Waymo's v1 files: one TFRecord file a segment, one ``Frame`` message a record."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from kecor.datasets.waymo.protos import MESSAGES
from kecor.datasets.waymo.range_images import uniform_inclinations
from kecor.datasets.waymo.raw import LABEL, LASER_NAMES, Laser, RawFrame, check_labels, rigid
from kecor.errors import DataError
from kecor.tfrecord import read_records

MAX_IMAGE_BYTES = 1 << 26
"""A range image of TOP with its pixel poses has 4 MB; more than 64 MB is not decompressed."""


def read_v1(path: str | Path, interval: int = 1) -> Iterator[tuple[int, RawFrame]]:
    """Number and content of every ``interval``-th frame of a segment; the checksums of all records are checked.

    A frame without range images has no lasers. Boxes are those of ``laser_labels``, never the 2D boxes of cameras or
    the boxes shifted to the time of an image.

    Raises:
        DataError: the file is damaged, or a record is no frame; names file, record and time stamp.
    """
    for number, data in enumerate(read_records(path)):
        if number % interval:
            continue
        where = f"{path}: record {number}"
        try:
            yield number, _frame(MESSAGES["Frame"].FromString(data), where)
        except (DecodeError, UnicodeDecodeError, OverflowError) as error:
            raise DataError(f"{where}: is no frame of the Waymo Open Dataset: {error}") from error


def _frame(message: Any, where: str) -> RawFrame:
    if not message.context.name or not message.HasField("pose"):
        raise DataError(f"{where}: has no context name or no pose: is no frame of the Waymo Open Dataset (Perception)")
    where = f"{where} (timestamp {message.timestamp_micros})"
    calibrations = {calibration.name: calibration for calibration in message.context.laser_calibrations}
    lasers = [_laser(laser, calibrations, where) for laser in message.lasers if _has_image(laser)]
    if len({laser.name for laser in lasers}) < len(lasers):
        raise DataError(f"{where}: holds a laser twice")
    return RawFrame(
        segment=message.context.name,
        timestamp=message.timestamp_micros,
        pose=rigid(message.pose.transform, f"{where}: pose"),
        lasers=sorted(lasers, key=lambda laser: laser.name),
        labels=check_labels(_labels(message.laser_labels), where),
        zones=[_zone(zone, where) for zone in message.no_label_zones],
    )


def _has_image(laser: Any) -> bool:
    return bool(laser.ri_return1.range_image_compressed or laser.ri_return2.range_image_compressed)


def _laser(message: Any, calibrations: dict[int, Any], where: str) -> Laser:
    """One laser with its calibration."""
    if not 1 <= message.name <= len(LASER_NAMES) or message.name not in calibrations:
        raise DataError(f"{where}: laser {message.name} is unknown or has no calibration")
    where = f"{where}: laser {LASER_NAMES[message.name - 1]}"
    first, second = message.ri_return1, message.ri_return2
    returns = [
        _matrix(blob, 4, where) for blob in (first.range_image_compressed, second.range_image_compressed) if blob
    ]
    shape = returns[0].shape[:2]
    pose = None
    if message.name == 1 and first.range_image_pose_compressed:
        pose = _matrix(first.range_image_pose_compressed, 6, where)
    if any(image.shape[:2] != shape for image in [*returns, *([] if pose is None else [pose])]):
        raise DataError(f"{where}: its range images differ in size: {[image.shape for image in returns]}")
    calibration = calibrations[message.name]
    return Laser(
        name=message.name,
        extrinsic=rigid(calibration.extrinsic.transform, f"{where}: extrinsic"),
        inclinations=inclinations(
            np.array(calibration.beam_inclinations),
            (calibration.beam_inclination_min, calibration.beam_inclination_max),
            shape[0],
            where,
        ),
        returns=returns,
        pixel_pose=pose,
    )


def inclinations(values: np.ndarray, limits: tuple[float, float], height: int, where: str) -> np.ndarray:
    """(H,) radians of the rows, the first looks highest, of a calibration: ascending values, or limits without them.

    Raises:
        DataError: there are values, but not one a row.
    """
    if not len(values):
        return uniform_inclinations(*limits, height)
    if len(values) != height:
        raise DataError(f"{where}: {len(values)} beam inclinations for {height} rows")
    return np.asarray(values, np.float64)[::-1]


def _matrix(blob: bytes, channels: int, where: str) -> np.ndarray:
    """The (H, W, channels) float32 array of a compressed ``MatrixFloat``."""
    try:
        stream = zlib.decompressobj()
        data = stream.decompress(blob, MAX_IMAGE_BYTES)
        if not stream.eof:
            raise DataError(f"{where}: a range image is cut off or has more than {MAX_IMAGE_BYTES} bytes")
        message: Any = MESSAGES["MatrixFloat"].FromString(data)
    except (zlib.error, DecodeError) as error:
        raise DataError(f"{where}: a range image cannot be read ({error}); download the file again") from error
    return image(np.frombuffer(message.data, np.uint8), list(message.shape.dims), channels, where)


def image(data: np.ndarray, shape: list[int], channels: int, where: str) -> np.ndarray:
    """The (H, W, channels) float32 image of flat ``data``, of which the bytes are little-endian floats.

    Raises:
        DataError: the shape is another, does not fit the data, or a number is not finite.
    """
    if len(shape) != 3 or shape[2] != channels or min(shape) < 1 or np.prod(shape, dtype=object) * 4 != data.nbytes:
        raise DataError(f"{where}: a range image of {data.nbytes} bytes has shape {shape}, not H x W x {channels}")
    values = data.view("<f4").reshape(shape)
    if not np.isfinite(values).all():
        raise DataError(f"{where}: a range image holds numbers that are not finite")
    return values


def _labels(messages: Any) -> np.ndarray:
    labels = np.zeros(len(messages), LABEL)
    for row, label in zip(labels, messages):
        box, meta = label.box, label.metadata
        row["box"][:3] = box.center_x, box.center_y, box.center_z
        row["box"][3:] = box.length, box.width, box.height, box.heading
        row["type"] = label.type
        row["id"] = label.id
        row["n_points"] = label.num_lidar_points_in_box
        row["n_top_points"] = label.num_top_lidar_points_in_box
        row["difficulty"] = label.detection_difficulty_level
        row["tracking_difficulty"] = label.tracking_difficulty_level
        row["speed"] = meta.speed_x, meta.speed_y, meta.speed_z
        row["acceleration"] = meta.accel_x, meta.accel_y, meta.accel_z
    return labels


def _zone(zone: Any, where: str) -> np.ndarray:
    if len(zone.x) != len(zone.y):
        raise DataError(f"{where}: a no-label zone has {len(zone.x)} x and {len(zone.y)} y")
    return np.column_stack([zone.x, zone.y])
