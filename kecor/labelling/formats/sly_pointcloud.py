"""Supervisely's point cloud projects, which CVAT calls Sly Point Cloud: one annotation file a cloud."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kecor.errors import DataError
from kecor.files import write_json
from kecor.labelling.base import BoxList, Entry, LabelledBoxes
from kecor.labelling.folders import label_files
from kecor.labelling.reading import read_json_value

DATASET = "ds0"
NAMESPACE = uuid.UUID("a0f7c8f2-6f1e-5d0a-9a43-5b8a8f0f6a11")
"""Of the keys, so that the same export has the same keys."""


class SlyPointCloud:
    """Reads and writes ``DATASET/ann/NAME.pcd.json``; a figure finds its class through its object.

    ``key_id_map.json`` is written, because datumaro refuses a project without it, and never needed for reading.
    """

    name = "sly_pointcloud"
    precision = 0.006
    options: tuple[str, ...] = ()
    clouds = f"{DATASET}/pointcloud"
    instructions = (
        "Supervisely: import this folder as a project in the Supervisely format (point clouds).\n"
        "CVAT: create a 3D task with the labels of classes.txt and the clouds of ds0/pointcloud, then upload a zip of\n"
        "this folder with Actions > Upload annotations > Sly Point Cloud Format 1.0. Export finished work in the same\n"
        "format. Both tools export every frame, and a frame without boxes then means that it holds no object."
    )

    def entries(self, folder: Path, options: Mapping[str, str]) -> Iterator[Entry]:
        files = label_files(folder, "*/ann/*.json", "*/ann/*/*.json")
        if not files:
            raise DataError(f"{folder}: holds no DATASET/ann/NAME.pcd.json; name the folder of the project")
        for path in files:
            dataset, _, *name = path.relative_to(folder).with_suffix("").parts
            yield Entry("/".join(name), str(path), partial(_read, path), dataset)

    def write(
        self, folder: Path, labels: Mapping[str, LabelledBoxes], classes: Sequence[str], options: Mapping[str, str]
    ) -> None:
        annotations = {name: _annotation(name, boxes) for name, boxes in labels.items()}
        for name, annotation in annotations.items():
            write_json(folder / DATASET / "ann" / f"{name}.pcd.json", annotation)
        shapes = [
            {"id": i, "title": name, "color": _colour(i), "shape": "cuboid_3d", "geometry_config": {}}
            for i, name in enumerate(classes)
        ]
        write_json(folder / "meta.json", {"classes": shapes, "tags": [], "projectType": "point_clouds"})
        write_json(folder / "key_id_map.json", _key_ids(list(annotations.values())))


def _read(path: Path) -> LabelledBoxes:
    annotation, boxes = read_json_value(path), BoxList()
    classes = {item["key"].text(): item["classTitle"].text() for item in annotation["objects"].items()}
    for figure in annotation["figures"].items():
        if figure["geometryType"].text() != "cuboid_3d":
            continue
        key = figure["objectKey"].text()
        if key not in classes:
            raise DataError(f"{figure.where}: objectKey {key!r} is the key of no object in the file; export it again")
        geometry = figure["geometry"]
        roll, pitch, yaw = geometry["rotation"].numbers()
        box = [*geometry["position"].numbers(), *geometry["dimensions"].numbers(), yaw]
        boxes.add(figure.where, classes[key], box, (roll, pitch))
    return boxes.done()


def _annotation(name: str, labels: LabelledBoxes) -> dict[str, Any]:
    """The annotation file of one cloud."""
    objects, figures = [], []
    for i, (label, box) in enumerate(zip(labels.names, labels.boxes.tolist())):
        key = _key(name, i, "object")
        geometry = {
            "position": dict(zip("xyz", box[:3])),
            "rotation": {"x": 0.0, "y": 0.0, "z": box[6]},
            "dimensions": dict(zip("xyz", box[3:6])),
        }
        objects.append({"key": key, "classTitle": str(label), "tags": []})
        figures.append(
            {"key": _key(name, i, "figure"), "objectKey": key, "geometryType": "cuboid_3d", "geometry": geometry}
        )
    return {"description": "", "key": _key(name, 0, "cloud"), "tags": [], "objects": objects, "figures": figures}


def _key_ids(annotations: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """A number for each key; that of a cloud, which stands among the videos, is the number of its frame."""
    parts = {part: [item["key"] for of in annotations for item in of[part]] for part in ("objects", "figures")}
    numbers = {part: {key: i for i, key in enumerate(keys, 1)} for part, keys in parts.items()}
    return {"tags": {}, **numbers, "videos": {of["key"]: i for i, of in enumerate(annotations)}}


def _key(name: str, number: int, kind: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{kind} {number} {name}"))


def _colour(index: int) -> str:
    """A colour that differs from those of the neighbouring classes."""
    return f"#{(index * 97 + 51) % 256:02X}66CC"
