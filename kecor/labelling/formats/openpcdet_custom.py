"""OpenPCDet's custom layout, which is also kecor's own: ``labels/ID.txt`` with eight words a box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from kecor.errors import DataError
from kecor.files import write_text
from kecor.labelling.base import BoxList, Entry, LabelledBoxes
from kecor.labelling.folders import label_files, subfolder
from kecor.labelling.reading import numbers, read_rows


class OpenPCDetCustom:
    """``labels/ID.txt``: ``x y z dx dy dz heading class``, box centre, LiDAR frame (CUSTOM_DATASET_TUTORIAL.md)."""

    name = "openpcdet_custom"
    precision = 1e-4
    options: tuple[str, ...] = ()
    clouds = "points"
    instructions = (
        "Clouds: points/NAME.pcd. Labels: labels/NAME.txt, one box a line: x y z dx dy dz heading class\n"
        "(box centre, metres, radians about +z from +x towards +y). A file that is there is a starting point.\n"
        "Save an empty file for a frame without objects."
    )

    def entries(self, folder: Path, options: Mapping[str, str]) -> Iterator[Entry]:
        labels = subfolder(folder, "labels")
        for path in label_files(labels, "*.txt", "*/*.txt"):
            name = path.relative_to(labels).with_suffix("").as_posix()
            yield Entry(name, str(path), partial(read_label_file, path))

    def write(
        self, folder: Path, labels: Mapping[str, LabelledBoxes], classes: Sequence[str], options: Mapping[str, str]
    ) -> None:
        (folder / "labels").mkdir(parents=True, exist_ok=True)
        for name, boxes in labels.items():
            if len(boxes):  # an empty file would be a label
                write_text(folder / "labels" / f"{name}.txt", format_boxes(boxes))


def read_label_file(path: Path) -> LabelledBoxes:
    """The boxes of one ``ID.txt``; an empty file holds none.

    Raises:
        DataError: the file is missing or a line is faulty.
    """
    boxes = BoxList()
    for where, words in read_rows(path):
        if len(words) != 8:
            raise DataError(f"{where}: {len(words)} words; a box has 8: x y z dx dy dz heading class")
        boxes.add(where, words[7], numbers(where, words[:7]))
    return boxes.done()


def format_boxes(labels: LabelledBoxes) -> str:
    """The text of a label file, with eight decimals.

    Raises:
        DataError: a class name holds a blank, which the layout has no place for.
    """
    for name in labels.names:
        if len(name.split()) != 1:
            raise DataError(f"class {str(name)!r}: a label file of this layout cannot hold a blank; rename the class")
    rows = zip(labels.boxes.tolist(), labels.names)
    return "".join(" ".join(f"{round(v, 8):.10g}" for v in box) + f" {name}\n" for box, name in rows)
