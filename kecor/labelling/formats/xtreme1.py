"""Xtreme1 and BasicAI: one JSON file a frame with the objects of one or more sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from kecor.errors import DataError
from kecor.labelling.base import BoxList, Entry, LabelledBoxes
from kecor.labelling.folders import label_files
from kecor.labelling.reading import Value, read_json_value

BOX = "3D_BOX"


class Xtreme1:
    """Reads ``result/NAME.json`` (xtreme1-io/docs).

    Objects of the types ``2D_BOX`` and ``2D_RECT`` show the same objects in images and are skipped. The option
    ``source`` names the source to read where several hold boxes, such as people and a model.
    """

    name = "xtreme1"
    precision = 1e-4
    options: tuple[str, ...] = ("source",)

    def entries(self, folder: Path, options: Mapping[str, str]) -> Iterator[Entry]:
        files = label_files(folder, "result/*.json", "*/result/*.json")
        if not files:
            raise DataError(f"{folder}: holds no result/NAME.json; name the folder that Xtreme1's zip was unpacked to")
        for path in files:
            scene = path.parent.parent
            read = partial(_read, path, options.get("source"))
            yield Entry(path.stem, str(path), read, "" if scene == folder else scene.name)


def _read(path: Path, source: str | None) -> LabelledBoxes:
    boxes = BoxList()
    for item in _objects(read_json_value(path), source):
        contour = item["contour"]
        roll, pitch, yaw = contour["rotation3D"].numbers()
        box = [*contour["center3D"].numbers(), *contour["size3D"].numbers(), yaw]
        boxes.add(item.where, item["className"].text(), box, (roll, pitch))
    return boxes.done()


def _objects(result: Value, source: str | None) -> list[Value]:
    """The 3D boxes of the one source that is meant."""
    found: dict[str, list[Value]] = {}
    for part in result.items():
        name = part["sourceName"].text()
        if source in (None, name):
            found.setdefault(name, []).extend(o for o in part["objects"].items() if o["type"].text() == BOX)
    if source is not None and not found:
        raise DataError(f"{result.where}: has no source {source!r}; correct --source or leave it out")
    filled = {name: objects for name, objects in found.items() if objects}
    if len(filled) > 1:
        names = ", ".join(map(repr, filled))
        raise DataError(f"{result.where}: several sources hold boxes ({names}); choose one with --source NAME")
    return next(iter(filled.values()), [])
