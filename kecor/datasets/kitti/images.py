"""Image sizes of a data set in the KITTI object layout, from a list or from the images' headers."""

from __future__ import annotations

import csv
import re
import struct
from functools import cached_property
from pathlib import Path

from kecor.errors import DataError
from kecor.files import check_regular, read_text

DEFAULT_IMAGE_SIZE = (1242, 375)
"""(width, height) in pixels of most images of the set, taken where neither a list nor an image tells."""
SIZES_NAME = "image_sizes.csv"
MAX_SIDE = 100_000
"""Pixels along the longer side of the largest image."""
_SIDE = re.compile("[0-9]{1,9}")


class ImageSizes:
    """Frame id -> (width, height) in pixels: of ``root/image_sizes.csv``, else of the PNG image, else the default.

    Files are read when the first size is asked for. ``folder`` is ``training`` or ``testing``; the list speaks of
    ``training`` alone.
    """

    def __init__(self, root: Path, folder: str = "training") -> None:
        self.list = root / SIZES_NAME if folder == "training" else None
        self.images = root / folder / "image_2"

    @cached_property
    def _listed(self) -> dict[str, tuple[int, int]]:
        return read_image_sizes(self.list) if self.list and self.list.exists() else {}

    def __call__(self, frame_id: str) -> tuple[int, int]:
        """The size of one frame's image. Raises DataError where the list or the image is faulty."""
        if frame_id in self._listed:
            return self._listed[frame_id]
        image = self._image(frame_id)
        return png_size(image) if image.exists() else DEFAULT_IMAGE_SIZE

    def assumed(self, frame_id: str) -> bool:
        """Whether neither the list nor an image tells the size of a frame's image."""
        return frame_id not in self._listed and not self._image(frame_id).exists()

    def _image(self, frame_id: str) -> Path:
        return self.images / f"{frame_id}.png"


def read_image_sizes(path: str | Path) -> dict[str, tuple[int, int]]:
    """Frame id -> (width, height) of a CSV list with the header ``frame,width,height``.

    Raises:
        DataError: a wrong header or a row that is not an id and two whole numbers from 1 to 100,000; names the line.
    """
    path = Path(path)
    try:
        rows = list(csv.reader(read_text(path).splitlines()))
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not rows or rows[0] != ["frame", "width", "height"]:
        raise DataError(f"{path}:1: expected the header 'frame,width,height'")
    sizes = {}
    for number, row in enumerate(rows[1:], 2):
        if len(row) != 3 or not all(map(_SIDE.fullmatch, row[1:])):
            raise DataError(f"{path}:{number}: expected a frame id, a width and a height, got {','.join(row)!r}")
        sizes[row[0]] = _checked(int(row[1]), int(row[2]), f"{path}:{number}")
    return sizes


def _checked(width: int, height: int, where: str) -> tuple[int, int]:
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise DataError(f"{where}: no image is {width} x {height} pixels large")
    return width, height


def png_size(path: str | Path) -> tuple[int, int]:
    """The (width, height) of a PNG image, from its header alone (PNG specification, section 11.2.1, IHDR).

    Raises:
        DataError: the file cannot be read, is no PNG image, or claims a size that no image has.
    """
    path = Path(path)
    check_regular(path)
    try:
        with path.open("rb") as stream:
            header = stream.read(24)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(header) < 24 or header[:8] != b"\x89PNG\r\n\x1a\n" or header[12:16] != b"IHDR":
        raise DataError(f"{path}: is no PNG image")
    width, height = struct.unpack(">II", header[16:24])
    return _checked(width, height, str(path))
