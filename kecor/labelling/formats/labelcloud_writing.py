"""Writing labelCloud's label files and class list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kecor.errors import ConfigError, DataError
from kecor.files import write_json, write_text
from kecor.labelling.base import LabelledBoxes

CLASSES_NAME = "_classes.json"
DECIMALS = 8
"""What labelCloud rounds to."""


def write_labels(folder: Path, labels: Mapping[str, LabelledBoxes], classes: Sequence[str], variant: str) -> None:
    """Write ``NAME.json`` (centroid_rel) or ``NAME.txt`` (kitti_untransformed) of each frame, and the class list.

    Frames without boxes get no file, because labelCloud shows that a frame is done by writing one.

    Raises:
        ConfigError: another variant.
        DataError: the variant cannot hold a class name.
    """
    if variant not in ("centroid_rel", "kitti_untransformed"):
        raise ConfigError(f"--variant {variant}: only centroid_rel and kitti_untransformed are written")
    for name, boxes in labels.items():
        if len(boxes) and variant == "centroid_rel":
            write_json(folder / f"{name}.json", _centroids(name, boxes))
        elif len(boxes):
            write_text(folder / f"{name}.txt", _lines(boxes))
    write_json(folder / CLASSES_NAME, _class_list(classes, variant))


def _centroids(name: str, labels: LabelledBoxes) -> dict[str, Any]:
    """A label file of the variant centroid_rel. labelCloud reads rotations by position, so x, y, z stay in order."""
    objects = [
        {
            "name": str(label),
            "centroid": dict(zip("xyz", box[:3])),
            "dimensions": dict(zip(("length", "width", "height"), box[3:6])),
            "rotations": {"x": 0.0, "y": 0.0, "z": box[6]},
        }
        for label, box in zip(labels.names, np.round(labels.boxes, DECIMALS).tolist())
    ]
    cloud = f"{name}.pcd"
    return {"folder": "pointclouds", "filename": cloud, "path": f"pointclouds/{cloud}", "objects": objects}


def _lines(labels: LabelledBoxes) -> str:
    """A label file of the variant kitti_untransformed."""
    lines = []
    for label, (x, y, z, *size, heading) in zip(labels.names, np.round(labels.boxes, DECIMALS).tolist()):
        if len(label.split()) != 1:
            raise DataError(f"class {str(label)!r}: this variant cannot hold a blank; use centroid_rel")
        words = [str(label), *"0000000", *map(str, [*size[::-1], x, y, z, heading])]
        lines.append(" ".join(words) + "\n")
    return "".join(lines)


def _class_list(classes: Sequence[str], variant: str) -> dict[str, Any]:
    """``_classes.json``; the colours are spread over the hues labelCloud's own lists use."""
    colours = [f"#{(51 + 38 * i) % 256:02x}66cc" for i in range(len(classes))]
    return {
        "classes": [{"name": name, "id": i, "color": colours[i]} for i, name in enumerate(classes)],
        "default": 0,
        "type": "object_detection",
        "format": variant,
        "created_with": {"name": "kecor", "version": "1"},
    }
