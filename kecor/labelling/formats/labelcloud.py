"""labelCloud's five ways of writing boxes: three of JSON, two of KITTI-like lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from kecor.errors import ConfigError, DataError
from kecor.labelling.base import BoxList, Entry, LabelledBoxes
from kecor.labelling.folders import label_files, subfolder
from kecor.labelling.formats.kitti import camera_boxes, label_rows
from kecor.labelling.formats.labelcloud_vertices import box_of_vertices
from kecor.labelling.formats.labelcloud_writing import CLASSES_NAME, write_labels
from kecor.labelling.reading import Value, read_json_value

VARIANTS = {
    "centroid_rel": ".json",
    "centroid_abs": ".json",
    "vertices": ".json",
    "kitti": ".txt",
    "kitti_untransformed": ".txt",
}
"""Variant -> ending of its label files."""


class LabelCloud:
    """Reads ``labels/NAME.{json,txt}`` of all five variants, writes ``centroid_rel`` and ``kitti_untransformed``.

    The option ``variant`` names the variant. Without it, the key ``format`` of ``labels/_classes.json`` does, or what
    the files hold.
    """

    name = "labelcloud"
    precision = 1e-4
    options: tuple[str, ...] = ("variant",)
    clouds = "pointclouds"
    instructions = (
        "labelCloud: copy the content of this folder to where labelCloud runs, start it with `labelCloud` and choose\n"
        "object detection, the folders pointclouds and labels, and the label format named in labels/_classes.json.\n"
        "A cloud with boxes already is a starting point. Save every frame you finish, also one without objects:\n"
        "a frame without a label file counts as not done."
    )

    def entries(self, folder: Path, options: Mapping[str, str]) -> Iterator[Entry]:
        labels = subfolder(folder, "labels")
        files = label_files(labels, "*.json", "*.txt")
        variant = _variant(labels, files, options.get("variant"))
        for path in files:
            yield Entry(path.stem, str(path), partial(_read, path, variant))

    def write(
        self, folder: Path, labels: Mapping[str, LabelledBoxes], classes: Sequence[str], options: Mapping[str, str]
    ) -> None:
        write_labels(folder / "labels", labels, classes, options.get("variant", "centroid_rel"))


def _variant(labels: Path, files: Sequence[Path], named: str | None) -> str:
    """The variant of a delivery."""
    declared = labels / CLASSES_NAME
    source = "--variant"
    if named is None and declared.exists():
        source, value = f"{declared}: format", read_json_value(declared).get("format")
        named = value.text() if value else None
    if named is None:
        return _recognised(labels, files)
    if named not in VARIANTS:
        raise ConfigError(f"{source}: {named!r} is unknown; use one of {', '.join(VARIANTS)}")
    wrong = next((path for path in files if path.suffix != VARIANTS[named]), None)
    if wrong:
        raise ConfigError(
            f"{wrong}: is no {VARIANTS[named]} file, as {source} {named} has; delete it or pass another --variant"
        )
    return named


def _recognised(labels: Path, files: Sequence[Path]) -> str:
    """The variant that the label files show.

    Corners name themselves. Degrees lie in [0, 360) and radians in (-pi, pi], so an angle below 0 or above 2 pi
    tells them apart.
    """
    objects = [o for path in files if path.suffix == ".json" for o in read_json_value(path)["objects"].items()]
    if any(o.get("vertices") for o in objects):
        return "vertices"
    angles = [o["rotations"]["z"].number() for o in objects]
    if angles and (min(angles) < 0) != (max(angles) > 2 * math.pi):
        return "centroid_rel" if min(angles) < 0 else "centroid_abs"
    if files:
        raise ConfigError(
            f"{labels}: nothing tells which variant this is; pass --variant, one of {', '.join(VARIANTS)}"
        )
    return "centroid_rel"


def _read(path: Path, variant: str) -> LabelledBoxes:
    if variant == "kitti":
        # labelCloud writes rotation_y = pi/2 - heading, half a turn from KITTI's -pi/2 - heading.
        return camera_boxes(path, path.parent.parent / "calib" / path.name, half_turn=True)
    boxes = BoxList()
    if variant == "kitti_untransformed":
        for where, name, (height, width, length, x, y, z, heading) in label_rows(path):
            boxes.add(where, name, [x, y, z, length, width, height, heading])
        return boxes.done()
    for item in read_json_value(path)["objects"].items():
        if variant == "vertices":
            boxes.add(item.where, item["name"].text(), *box_of_vertices(item["vertices"]))
        else:
            boxes.add(item.where, item["name"].text(), *_box_of_centroid(item, degrees=variant == "centroid_abs"))
            if item["rotations"].fields()[:3] != ["x", "y", "z"]:
                boxes.note(
                    f"{item.where}: rotations are not in the order x, y, z; labelCloud, which ignores their keys,"
                    " shows another box than the one read"
                )
    return boxes.done()


def _box_of_centroid(item: Value, degrees: bool) -> tuple[list[float], list[float]]:
    """Box and tilt of an object with centroid, dimensions and rotations."""
    rotations = item["rotations"].numbers()
    if not degrees and abs(rotations[2]) > 4 * math.pi:
        raise DataError(f"{item.where}: rotation {rotations[2]:g} can hardly be radians; pass --variant centroid_abs")
    roll, pitch, yaw = map(math.radians, rotations) if degrees else rotations
    box = [*item["centroid"].numbers(), *item["dimensions"].numbers(("length", "width", "height")), yaw]
    return box, [roll, pitch]
