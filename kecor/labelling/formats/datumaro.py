"""Datumaro 3D JSON, which CVAT exports and imports: all frames of a subset in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kecor.errors import DataError
from kecor.files import write_json
from kecor.labelling.base import BoxList, Entry, LabelledBoxes
from kecor.labelling.folders import label_files
from kecor.labelling.reading import Value, read_json_value

POINT_CLOUD = 6
"""Datumaro's number of the media type."""


class Datumaro:
    """Reads and writes ``annotations/SUBSET.json``, numbers as they are; datumaro and CVAT round to two decimals."""

    name = "datumaro"
    precision = 0.006
    options: tuple[str, ...] = ()
    clouds = "point_clouds/default"
    instructions = (
        "CVAT: create a 3D task with the labels of classes.txt and the clouds of point_clouds/default, then upload\n"
        "a zip of this folder with Actions > Upload annotations > Datumaro 3D 1.0. Export the finished job in the\n"
        "same format. CVAT exports every frame, and a frame without boxes then means that it holds no object."
    )

    def entries(self, folder: Path, options: Mapping[str, str]) -> Iterator[Entry]:
        files = label_files(folder / "annotations", "*.json")
        if not files:
            raise DataError(f"{folder}: holds no annotations/SUBSET.json; name the folder of the export")
        for path in files:
            subset = read_json_value(path)
            names = [label["name"].text() for label in subset["categories"]["label"]["labels"].items()]
            for item in subset["items"].items():
                yield Entry(item["id"].text(), item.where, partial(_read, item, names))

    def write(
        self, folder: Path, labels: Mapping[str, LabelledBoxes], classes: Sequence[str], options: Mapping[str, str]
    ) -> None:
        categories = [{"name": name, "parent": "", "attributes": []} for name in classes]
        subset = {
            "dm_format_version": "1.0",
            "media_type": POINT_CLOUD,
            "infos": {},
            "categories": {"label": {"labels": categories, "label_groups": [], "attributes": ["occluded"]}},
            "items": [_item(i, name, boxes, classes) for i, (name, boxes) in enumerate(labels.items())],
        }
        write_json(folder / "annotations" / "default.json", subset)


def _read(item: Value, names: Sequence[str]) -> LabelledBoxes:
    boxes = BoxList()
    for annotation in item["annotations"].items():
        if annotation["type"].text() != "cuboid_3d":
            continue
        label = annotation["label_id"].integer()
        if not 0 <= label < len(names):
            raise DataError(f"{annotation.where}: label_id {label} is not among the {len(names)} labels of categories")
        roll, pitch, yaw = annotation["rotation"].vector(3)
        box = [*annotation["position"].vector(3), *annotation["scale"].vector(3), yaw]
        boxes.add(annotation.where, names[label], box, (roll, pitch))
    return boxes.done()


def _item(number: int, name: str, labels: LabelledBoxes, classes: Sequence[str]) -> dict[str, Any]:
    annotations = [
        {
            "id": i,
            "type": "cuboid_3d",
            "attributes": {"occluded": False, "track_id": i},
            "group": 0,
            "label_id": list(classes).index(label),
            "position": box[:3],
            "rotation": [0.0, 0.0, box[6]],
            "scale": box[3:6],
        }
        for i, (label, box) in enumerate(zip(labels.names, labels.boxes.tolist()), 1)
    ]
    return {"id": name, "annotations": annotations, "attr": {"frame": number}, "point_cloud": {"path": f"{name}.pcd"}}
