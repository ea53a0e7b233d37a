"""Boxes by frame as JSON: ``{frame_id: [{"name": "Car", "box": [x, y, z, dx, dy, dz, heading]}, ..]}``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kecor.frame_ids import check_frame_id
from kecor.labelling.base import BoxList, LabelledBoxes, Labels
from kecor.labelling.reading import Value, read_json_value


def as_json(labels: Labels) -> dict[str, list[dict[str, Any]]]:
    """The value of the JSON file."""
    return {
        frame_id: [{"name": str(name), "box": box} for name, box in zip(of.names, of.boxes.tolist())]
        for frame_id, of in labels.items()
    }


def read_boxes(path: str | Path) -> Labels:
    """Read such a file.

    Raises:
        DataError: the file is missing or faulty; names frame, object and key.
    """
    return parse_boxes(read_json_value(Path(path)))


def parse_boxes(root: Value) -> Labels:
    """The boxes in a JSON value of that form.

    Raises:
        DataError: it is faulty; names frame, object and key.
    """
    return {check_frame_id(frame_id, root.where): _read(root[frame_id]) for frame_id in root.fields()}


def _read(objects: Value) -> LabelledBoxes:
    boxes = BoxList()
    for item in objects.items():
        boxes.add(item.where, item["name"].text(), item["box"].vector(7))
    return boxes.done()
