"""Writing v1 files: what a simulator makes becomes TFRecord files as Waymo publishes them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kecor.datasets.waymo.protos import MESSAGES
from kecor.datasets.waymo.raw import Laser, RawFrame
from kecor.tfrecord import write_records


def write_tfrecord(path: str | Path, frames: Iterable[RawFrame]) -> None:
    """Write the frames of one segment atomically, in order, as one record each.

    Name the file ``training/segment-CONTEXT_with_camera_labels.tfrecord``, with CONTEXT the frames' ``segment``. Each
    laser is written with its calibration; ``inclinations`` must be those of :class:`Laser`, the highest row first.
    """
    write_records(path, (_message(frame).SerializeToString() for frame in frames))


def _message(frame: RawFrame) -> Any:
    message: Any = MESSAGES["Frame"](timestamp_micros=frame.timestamp)
    message.context.name = frame.segment
    message.pose.transform.extend(frame.pose.ravel().tolist())
    for laser in frame.lasers:
        calibration = message.context.laser_calibrations.add(name=laser.name)
        calibration.extrinsic.transform.extend(laser.extrinsic.ravel().tolist())
        calibration.beam_inclinations.extend(laser.inclinations[::-1].tolist())
        calibration.beam_inclination_min = float(laser.inclinations[-1])
        calibration.beam_inclination_max = float(laser.inclinations[0])
        _add_images(message.lasers.add(name=laser.name), laser)
    for label in frame.labels:
        _add_label(message, label)
    for zone in frame.zones:
        message.no_label_zones.add(x=zone[:, 0].tolist(), y=zone[:, 1].tolist())
    return message


def _add_images(message: Any, laser: Laser) -> None:
    for image, target in zip(laser.returns, (message.ri_return1, message.ri_return2)):
        target.range_image_compressed = _compressed(image)
    if laser.pixel_pose is not None:
        message.ri_return1.range_image_pose_compressed = _compressed(laser.pixel_pose)


def _compressed(image: np.ndarray) -> bytes:
    matrix: Any = MESSAGES["MatrixFloat"](data=np.ascontiguousarray(image, "<f4").tobytes())
    matrix.shape.dims.extend(image.shape)
    return zlib.compress(matrix.SerializeToString(), 1)


def _add_label(message: Any, label: np.void) -> None:
    x, y, z, length, width, height, heading = label["box"].tolist()
    added = message.laser_labels.add(
        type=int(label["type"]),
        id=bytes(label["id"]),
        detection_difficulty_level=int(label["difficulty"]),
        tracking_difficulty_level=int(label["tracking_difficulty"]),
        num_lidar_points_in_box=int(label["n_points"]),
        num_top_lidar_points_in_box=int(label["n_top_points"]),
    )
    added.box.center_x, added.box.center_y, added.box.center_z = x, y, z
    added.box.length, added.box.width, added.box.height, added.box.heading = length, width, height, heading
    added.metadata.speed_x, added.metadata.speed_y, added.metadata.speed_z = label["speed"].tolist()
    added.metadata.accel_x, added.metadata.accel_y, added.metadata.accel_z = label["acceleration"].tolist()
