"""SUSTechPOINTS: one JSON list a frame, in a folder a scene."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from kecor.errors import DataError
from kecor.labelling.base import BoxList, Entry, LabelledBoxes
from kecor.labelling.folders import label_files
from kecor.labelling.reading import read_json_value


class SustechPoints:
    """Reads ``SCENE/label/NAME.json`` (naurril/SUSTechPOINTS, doc/data-format.md).

    Its yaw is not wrapped, and its track ids may be empty texts.
    """

    name = "sustechpoints"
    precision = 1e-4
    options: tuple[str, ...] = ()

    def entries(self, folder: Path, options: Mapping[str, str]) -> Iterator[Entry]:
        files = label_files(folder, "label/*.json", "*/label/*.json", "*/*/label/*.json")
        if not files:
            raise DataError(f"{folder}: holds no SCENE/label/NAME.json; name the data folder of SUSTechPOINTS")
        for path in files:
            scene = path.parent.parent
            yield Entry(path.stem, str(path), partial(_read, path), "" if scene == folder else scene.name)


def _read(path: Path) -> LabelledBoxes:
    boxes = BoxList()
    for item in read_json_value(path).items():
        psr = item["psr"]
        roll, pitch, yaw = psr["rotation"].numbers()
        box = [*psr["position"].numbers(), *psr["scale"].numbers(), yaw]
        boxes.add(item.where, item["obj_type"].text(), box, (roll, pitch))
    return boxes.done()
