"""Waymo's ``Objects`` files: what its evaluation tools and its leaderboard read and write.

Messages and field numbers are those of the Waymo Open Dataset's ``label.proto`` and ``metrics.proto``; only the fields
that the detection metrics need are declared, in a descriptor pool of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from kecor.errors import DataError
from kecor.evaluation.waymo.inputs import GroundTruth, Predictions
from kecor.files import read_bytes, write_atomic

_PACKAGE = "kecor.waymo"
_SIDES = {"center_x": 1, "center_y": 2, "center_z": 3, "length": 5, "width": 4, "height": 6, "heading": 7}
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Box": {name: (number, "DOUBLE") for name, number in _SIDES.items()},
    "Label": {
        "box": (1, "Box"),
        "type": (3, "INT32"),
        "detection_difficulty_level": (5, "INT32"),
        "num_lidar_points_in_box": (7, "INT32"),
    },
    "Object": {
        "object": (1, "Label"),
        "score": (2, "FLOAT"),
        "overlap_with_nlz": (3, "BOOL"),
        "context_name": (4, "BYTES"),
        "frame_timestamp_micros": (5, "INT64"),
        "camera_name": (6, "INT32"),
    },
    "Objects": {"objects": (1, "Object")},
}
MAX_BYTES = (1 << 31) - 1
"""Protobuf reads no longer message."""


def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="kecor/waymo/objects.proto", package=_PACKAGE, syntax="proto2")
    types = descriptor_pb2.FieldDescriptorProto
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for member, (number, kind) in members.items():
            label = types.LABEL_REPEATED if member == "objects" else types.LABEL_OPTIONAL
            field = message.field.add(name=member, number=number, label=label)
            if kind in _MESSAGES:
                field.type, field.type_name = types.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = getattr(types, f"TYPE_{kind}")
            if member == "score":
                field.default_value = "1"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Objects"))


Objects = _message_class()


def read_files(gt_path: str | Path, predictions_path: str | Path) -> tuple[GroundTruth, Predictions]:
    """Ground truth and predictions of two ``Objects`` files, such as ``GT.bin`` and ``DET.bin``.

    A frame is identified by context name, time and camera.

    Raises:
        DataError: a file is missing, damaged or holds something else, or no object has LiDAR points.
    """
    gt, predictions = _read(gt_path), _read(predictions_path)
    keys = [(o.context_name, o.frame_timestamp_micros, o.camera_name) for o in [*gt, *predictions]]
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    frames = np.array([number[key] for key in keys], np.int64)
    labels = [o.object for o in gt]
    difficulty = _integers([label.detection_difficulty_level for label in labels])
    points = _integers([label.num_lidar_points_in_box for label in labels])
    if len(points) and not (points > 0).any():
        raise DataError(f"{gt_path}: num_lidar_points_in_box is 0 in all objects; take labels of version 1.1 or later")
    try:
        objects = GroundTruth(frames[: len(gt)], *_boxes(gt), difficulty, points)
    except DataError as error:
        raise DataError(f"{gt_path}: {error}") from error
    score = np.array([o.score for o in predictions], np.float32)
    ignored = np.array([o.overlap_with_nlz for o in predictions], bool)
    try:
        return objects, Predictions(frames[len(gt) :], *_boxes(predictions), score, ignored)
    except DataError as error:
        raise DataError(f"{predictions_path}: {error}") from error


def _read(path: str | Path) -> Sequence[Any]:
    """The objects of a file, each of which has a box."""
    data = read_bytes(path, MAX_BYTES)
    try:
        objects = Objects.FromString(data).objects
    except DecodeError as error:
        raise DataError(f"{path}: is no Objects file (waymo.open_dataset.Objects), or is cut short") from error
    bad = next((i for i, o in enumerate(objects) if not o.object.HasField("box")), None)
    if bad is not None or (data and not objects):
        raise DataError(f"{path}: object {bad or 0} has no box: is this an Objects file (waymo.open_dataset.Objects)?")
    return objects


def _integers(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


def _boxes(objects: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """(N, 7) boxes and (N,) types."""
    boxes = [[getattr(o.object.box, name) for name in _SIDES] for o in objects]
    return np.array(boxes, np.float64).reshape(-1, 7), _integers([o.object.type for o in objects])


def write_predictions(path: str | Path, predictions: Predictions, frames: Sequence[tuple[str, int]]) -> None:
    """Write predictions as an ``Objects`` file.

    Args:
        path: the file to write.
        predictions: ``frame_id`` is a row of ``frames``.
        frames: context name and time in microseconds of each frame.
    """
    message = Objects()
    for i, frame in enumerate(predictions.frame_id.tolist()):
        one = message.objects.add(score=float(predictions.score[i]), overlap_with_nlz=bool(predictions.overlap_nlz[i]))
        one.context_name, one.frame_timestamp_micros = frames[frame][0].encode(), frames[frame][1]
        one.object.type = int(predictions.type[i])
        for name, value in zip(_SIDES, predictions.boxes[i].tolist()):
            setattr(one.object.box, name, value)
    write_atomic(path, lambda stream: stream.write(message.SerializeToString()))
