"""Segments.ai: the attributes of a point-cloud-cuboid label, one JSON file a frame, and a table of categories."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from kecor.errors import DataError
from kecor.labelling.base import BoxList, Entry, LabelledBoxes
from kecor.labelling.folders import label_files
from kecor.labelling.reading import Value, read_json_value

ENDING = ".label.json"
Pose = tuple[np.ndarray, np.ndarray]
"""(3, 3) rotation and (3,) position of the LiDAR in the world."""


class SegmentsAi:
    """Reads ``NAME.label.json`` and ``categories.json`` (``[{"id": 1, "name": "Car"}]``).

    Boxes lie in the world where the samples were uploaded with ego poses. The option ``poses`` then names a JSON file
    ``{NAME: {"position": {x, y, z}, "heading": {qx, qy, qz, qw}}}``, the ``ego_pose`` of each sample, by which they are
    brought back into the LiDAR frame (docs.segments.ai/reference/sample-types).
    """

    name = "segments_ai"
    precision = 1e-4
    options: tuple[str, ...] = ("poses",)

    def entries(self, folder: Path, options: Mapping[str, str]) -> Iterator[Entry]:
        files = label_files(folder, f"*{ENDING}")
        if not files:
            raise DataError(f"{folder}: holds no NAME{ENDING}; save the attributes of each label under such a name")
        categories = _categories(folder / "categories.json")
        poses = read_json_value(Path(options["poses"])) if "poses" in options else None
        for path in files:
            name = path.name.removesuffix(ENDING)
            yield Entry(name, str(path), partial(_read, path, name, categories, poses))


def _categories(path: Path) -> dict[int, str]:
    return {item["id"].integer(): item["name"].text() for item in read_json_value(path).items()}


def _pose(value: Value) -> Pose:
    x, y, z, w = value["heading"].numbers(("qx", "qy", "qz", "qw"))
    position = value["position"].numbers()
    norm = x * x + y * y + z * z + w * w
    if not 0.9 < norm < 1.1 or not all(map(math.isfinite, position)):
        raise DataError(f"{value.where}: is no pose (a finite position and a quaternion of length 1)")
    return rotation(np.array([x, y, z, w]) / math.sqrt(norm)), np.array(position)


def rotation(q: np.ndarray) -> np.ndarray:
    """(3, 3) rotation of a unit quaternion (x, y, z, w): Rodrigues' formula, R = I + 2 w [v] + 2 [v]^2."""
    cross = np.array([[0, -q[2], q[1]], [q[2], 0, -q[0]], [-q[1], q[0], 0]])
    return np.eye(3) + 2 * q[3] * cross + 2 * cross @ cross


def _read(path: Path, name: str, categories: Mapping[int, str], poses: Value | None) -> LabelledBoxes:
    label = read_json_value(path)
    if label.get("frames"):
        raise DataError(f"{path}: holds a sequence; save its frames[i] as NAME{ENDING}, one file a frame")
    turn, position = (np.eye(3), np.zeros(3)) if poses is None else _pose(poses[name])
    boxes = BoxList()
    for item in label["annotations"].items():
        if item["type"].text() != "cuboid":
            continue
        number = item["category_id"].integer()
        if number not in categories:
            raise DataError(f"{item.where}: category {number} is not in categories.json; add its name there")
        centre = turn.T @ (np.array(item["position"].numbers()) - position)
        yaw = item["yaw"].number()
        ahead = turn.T @ np.array([math.cos(yaw), math.sin(yaw), 0])
        heading = math.atan2(ahead[1], ahead[0])
        boxes.add(item.where, categories[number], [*centre, *item["dimensions"].numbers(), heading])
    return boxes.done()
