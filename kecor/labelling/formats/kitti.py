"""KITTI label_2: camera-frame boxes on their bottom face, with a calibration file a frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from kecor.errors import DataError
from kecor.labelling.base import BoxList, Entry, LabelledBoxes
from kecor.labelling.folders import label_files, subfolder
from kecor.labelling.reading import numbers, read_rows

FIELDS = 15
DONT_CARE = "DontCare"


class Kitti:
    """Reads ``label_2/ID.txt`` with ``calib/ID.txt``, or the same two folders in ``training``.

    KITTI rounds to centimetres; ``DontCare`` regions are no boxes.
    """

    name = "kitti"
    precision = 0.006
    options: tuple[str, ...] = ()

    def entries(self, folder: Path, options: Mapping[str, str]) -> Iterator[Entry]:
        labels = subfolder(folder, "label_2", "training/label_2")
        for path in label_files(labels, "*.txt"):
            calib = labels.parent / "calib" / path.name
            yield Entry(path.stem, str(path), partial(_read, path, calib))


def _read(path: Path, calib_path: Path) -> LabelledBoxes:
    return camera_boxes(path, calib_path, half_turn=False)


def camera_boxes(path: Path, calib_path: Path, half_turn: bool) -> LabelledBoxes:
    """The boxes of a label file in the camera frame.

    The heading is ``-pi/2 - rotation_y`` in KITTI's files; with ``half_turn`` it is ``pi/2 - rotation_y``.
    """
    from kecor.datasets.kitti.calibration import read_calibration  # here, because data sets bring torch

    calib, offset = read_calibration(calib_path), np.pi / 2 if half_turn else -np.pi / 2
    boxes = BoxList()
    for where, name, (height, width, length, *location, rotation_y) in label_rows(path):
        x, y, z = calib.rect_to_lidar(np.array([location]))[0]
        boxes.add(where, name, [x, y, z + height / 2, length, width, height, offset - rotation_y])
    return boxes.done()


def label_rows(path: Path) -> Iterator[tuple[str, str, list[float]]]:
    """Place, class name and the seven numbers ``h w l x y z rotation`` of each line that is no ``DontCare``.

    Raises:
        DataError: a line has neither 15 fields nor 16 (with a score), or a field is no number.
    """
    for where, words in read_rows(path):
        if len(words) not in (FIELDS, FIELDS + 1):
            raise DataError(f"{where}: {len(words)} fields; a label line has {FIELDS}: class and 14 numbers")
        if words[0] != DONT_CARE:
            yield where, words[0], numbers(where, words[1:FIELDS])[7:]
