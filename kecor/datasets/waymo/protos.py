"""The protobuf messages of Waymo's v1 files, with only the fields that are read here.

Field numbers are those of ``dataset.proto`` and ``label.proto`` of the Waymo Open Dataset (Apache-2.0). The messages
live in a pool of their own, so that the official package can be imported into the same process. Everything else in a
record, the images above all, is skipped.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "kecor.waymo"
_TYPES = {
    kind: getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{kind.upper()}")
    for kind in ("double", "int64", "int32", "string", "bytes", "message")
}

# name -> kind and number; a kind that is no scalar names a message, [] marks a repeated field
_MESSAGES: dict[str, dict[str, tuple[str, int]]] = {
    # packed floats and bytes look the same in a file; as bytes they are read without a Python object for each float
    "MatrixFloat": {"data": ("bytes", 1), "shape": ("MatrixShape", 2)},
    "MatrixShape": {"dims": ("int32[]", 1)},
    "Transform": {"transform": ("double[]", 1)},
    "RangeImage": {"range_image_compressed": ("bytes", 2), "range_image_pose_compressed": ("bytes", 4)},
    "Laser": {"name": ("int32", 1), "ri_return1": ("RangeImage", 2), "ri_return2": ("RangeImage", 3)},
    "LaserCalibration": {
        "name": ("int32", 1),
        "beam_inclinations": ("double[]", 2),
        "beam_inclination_min": ("double", 3),
        "beam_inclination_max": ("double", 4),
        "extrinsic": ("Transform", 5),
    },
    "Context": {"name": ("string", 1), "laser_calibrations": ("LaserCalibration[]", 3)},
    "Box": {
        "center_x": ("double", 1),
        "center_y": ("double", 2),
        "center_z": ("double", 3),
        "width": ("double", 4),
        "length": ("double", 5),
        "height": ("double", 6),
        "heading": ("double", 7),
    },
    "Metadata": {
        "speed_x": ("double", 1),
        "speed_y": ("double", 2),
        "accel_x": ("double", 3),
        "accel_y": ("double", 4),
        "speed_z": ("double", 5),
        "accel_z": ("double", 6),
    },
    "Label": {
        "box": ("Box", 1),
        "metadata": ("Metadata", 2),
        "type": ("int32", 3),
        "id": ("bytes", 4),
        "detection_difficulty_level": ("int32", 5),
        "tracking_difficulty_level": ("int32", 6),
        "num_lidar_points_in_box": ("int32", 7),
        "num_top_lidar_points_in_box": ("int32", 13),
    },
    "Polygon2d": {"x": ("double[]", 1), "y": ("double[]", 2)},
    "Frame": {
        "context": ("Context", 1),
        "timestamp_micros": ("int64", 2),
        "pose": ("Transform", 3),
        "lasers": ("Laser[]", 5),
        "laser_labels": ("Label[]", 6),
        "no_label_zones": ("Polygon2d[]", 7),
    },
}


def _field(name: str, kind: str, number: int) -> descriptor_pb2.FieldDescriptorProto:
    field = descriptor_pb2.FieldDescriptorProto(name=name, number=number)
    field.label = field.LABEL_REPEATED if kind.endswith("[]") else field.LABEL_OPTIONAL
    kind = kind.removesuffix("[]")
    if kind in _TYPES:
        field.type = _TYPES[kind]
    else:
        field.type, field.type_name = _TYPES["message"], f".{_PACKAGE}.{kind}"
    return field


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="kecor/waymo.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        file.message_type.add(name=name, field=[_field(key, *value) for key, value in fields.items()])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


MESSAGES = _messages()
"""Message name -> class."""
