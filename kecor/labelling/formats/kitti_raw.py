"""KITTI raw tracklets: one XML file of tracks and a list of frames, as CVAT and datumaro write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from kecor.errors import ConfigError, DataError
from kecor.labelling.base import BoxList, Entry, LabelledBoxes
from kecor.labelling.reading import numbers, read_rows
from kecor.labelling.xml_files import read_xml

SIZES = {
    "zyx": "h, w, l along z, y, x; position is the centre",
    "yxz": "h, w, l along y, x, z; position is the centre (CVAT)",
    "xyz": "h, w, l along x, y, z; position is the centre (datumaro 1.13)",
    "kitti": "h, w, l along z, y, x; position is the middle of the bottom face (the KITTI recordings)",
}
"""What ``h``, ``w`` and ``l`` may mean. Nothing in the file says which."""
UNSEEN = {2.0, 99.0}
"""Truncation of poses outside the view or behind the sensor."""
Pose = tuple[str, Element, Element]
"""Place, track and pose."""


class KittiRaw:
    """Reads ``tracklet_labels.xml`` and ``frame_list.txt``; the option ``sizes`` is one of :data:`SIZES`."""

    name = "kitti_raw"
    precision = 0.006
    options: tuple[str, ...] = ("sizes",)

    def entries(self, folder: Path, options: Mapping[str, str]) -> Iterator[Entry]:
        path, sizes = folder / "tracklet_labels.xml", options.get("sizes")
        names = _frame_names(folder / "frame_list.txt")
        poses: dict[int, list[Pose]] = {number: [] for number, _ in names}
        for number, pose in _poses(path):
            if number not in poses:
                raise DataError(f"{pose[0]}: frame {number} is not in frame_list.txt; export both files again")
            poses[number].append(pose)
        first = next((found[0] for found in poses.values() if found), None)
        if sizes not in SIZES and (first or sizes is not None):
            raise ConfigError(_question(path, sizes, first))
        for number, name in names:
            yield Entry(name, f"{path}: frame {number}", partial(_read, poses[number], sizes or "zyx"))


def _frame_names(path: Path) -> list[tuple[int, str]]:
    """Frame numbers and names, in order."""
    names = []
    for where, words in read_rows(path):
        if len(words) < 2:
            raise DataError(f"{where}: expected a frame number and a name, found {words[0][:60]!r}")
        names.append((_frame_number(where, words[0]), " ".join(words[1:])))
    return names


def _frame_number(where: str, text: str) -> int:
    if not re.fullmatch(r"\s*[0-9]{1,9}\s*", text):
        raise DataError(f"{where}: {text[:60]!r} is no frame number")
    return int(text)


def _poses(path: Path) -> Iterator[tuple[int, Pose]]:
    """Frame number and pose of everything that is visible."""
    tracks = read_xml(path).findall("tracklets/item")
    for i, track in enumerate(tracks):
        where = f"{path}: tracklet {i}"
        start = _frame_number(where, _text(where, track, "first_frame"))
        for j, pose in enumerate(track.findall("poses/item")):
            place = f"{where}, pose {j}"
            if pose.find("truncation") is None or _number(place, pose, "truncation") not in UNSEEN:
                yield start + j, (place, track, pose)


def _read(poses: list[Pose], sizes: str) -> LabelledBoxes:
    boxes = BoxList()
    for where, track, pose in poses:
        x, y, z, roll, pitch, yaw = (_number(where, pose, tag) for tag in ("tx", "ty", "tz", "rx", "ry", "rz"))
        size = _sizes(where, track, sizes)
        bottom = size[2] / 2 if sizes == "kitti" else 0
        boxes.add(where, _text(where, track, "objectType"), [x, y, z + bottom, *size, yaw], (roll, pitch))
    return boxes.done()


def _sizes(where: str, track: Element, sizes: str) -> list[float]:
    """dx, dy, dz of a track."""
    axes = dict(zip("zyx" if sizes == "kitti" else sizes, "hwl"))
    return [_number(where, track, axes[axis]) for axis in "xyz"]


def _question(path: Path, sizes: str | None, first: Pose | None) -> str:
    """The message that asks for the meaning of the sizes."""
    lines = [
        f"{path}: --sizes: " + (f"{sizes!r} is unknown" if sizes else "what do h, w and l mean? The file does not say")
    ]
    for name, meaning in SIZES.items():
        example = ""
        if first:
            dx, dy, dz = _sizes(first[0], first[1], name)
            label = _text(first[0], first[1], "objectType")
            example = f"; the first {label} is then {dx:g} m long, {dy:g} m wide, {dz:g} m high"
        lines.append(f"  --sizes {name}: {meaning}{example}")
    return "\n".join(lines)


def _text(where: str, element: Element, tag: str) -> str:
    text = element.findtext(tag)
    if text is None:
        raise DataError(f"{where}: has no <{tag}>; export it again")
    return text


def _number(where: str, element: Element, tag: str) -> float:
    return numbers(f"{where}: <{tag}>", [_text(where, element, tag)])[0]
