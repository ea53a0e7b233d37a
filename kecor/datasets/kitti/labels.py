"""KITTI label and result files: one object a line, 15 fields, 16 with a score."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from kecor.errors import DataError
from kecor.files import read_text

DONT_CARE = "DontCare"


@dataclass
class KittiObjects:
    """The objects of one label or result file, one row an object (KITTI object development kit, readme.txt).

    Attributes:
        names: (M,) class names, ``DontCare`` included.
        truncated: (M,) share of the object outside the image in [0, 1]; 0, 1, 2 in files derived from the tracking set.
        occluded: (M,) int: 0 visible, 1 partly, 2 largely occluded, 3 unknown; -1 where it does not apply.
        alpha: (M,) observation angle in [-pi, pi].
        bbox: (M, 4) left, top, right, bottom in pixels.
        dimensions: (M, 3) height, width, length in metres.
        location: (M, 3) centre of the box's bottom face in the rectified camera frame, metres.
        rotation_y: (M,) about the camera's y axis.
        scores: (M,) of a detection; zeros in a label file.
    """

    names: np.ndarray
    truncated: np.ndarray
    occluded: np.ndarray
    alpha: np.ndarray
    bbox: np.ndarray
    dimensions: np.ndarray
    location: np.ndarray
    rotation_y: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def take(self, index: np.ndarray) -> KittiObjects:
        """The rows an index or mask names."""
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @classmethod
    def from_rows(cls, names: list[str], values: np.ndarray) -> KittiObjects:
        """From class names and (M, 15) values: the 14 numeric fields in file order and the score."""
        v = np.asarray(values, dtype=np.float64).reshape(len(names), 15)
        return cls(
            names=np.array(names, dtype=str),
            truncated=v[:, 0],
            occluded=v[:, 1].astype(np.int64),
            alpha=v[:, 2],
            bbox=v[:, 3:7],
            dimensions=v[:, 7:10],
            location=v[:, 10:13],
            rotation_y=v[:, 13],
            scores=v[:, 14],
        )


def read_objects(path: str | Path, scored: bool = False) -> KittiObjects:
    """Read a label file (15 fields) or, with ``scored``, a result file (16 fields). An empty file holds no object.

    Raises:
        DataError: a missing file, a wrong number of fields, or a field that is not a finite number; names the line.
    """
    path = Path(path)
    names, rows = [], []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        allowed = (16,) if scored else (15, 16)
        if len(parts) not in allowed:
            wanted = "16 (class, 14 numbers, score)" if scored else "15 (class and 14 numbers)"
            raise DataError(f"{path}:{number}: {len(parts)} fields where {wanted} are expected: {line.strip()!r}")
        try:
            values = [float(p) for p in parts[1:]]
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}") from error
        if not np.isfinite(values).all():
            raise DataError(f"{path}:{number}: a value is not finite: {line.strip()!r}")
        names.append(parts[0])
        rows.append(values + [0.0] * (15 - len(values)))
    return KittiObjects.from_rows(names, np.array(rows))


def without_size(objects: KittiObjects) -> np.ndarray:
    """(M,) mask of the objects that claim a place but have a dimension that is not positive; never ``DontCare``."""
    return (objects.dimensions <= 0).any(axis=1) & (objects.names != DONT_CARE)


def format_objects(objects: KittiObjects, scored: bool = False) -> str:
    """The text of a label file or, with ``scored``, of a result file."""
    lines = []
    for i in range(len(objects)):
        numbers = [*objects.bbox[i], *objects.dimensions[i], *objects.location[i], objects.rotation_y[i]]
        head = f"{objects.names[i]} {objects.truncated[i]:.2f} {int(objects.occluded[i])} {objects.alpha[i]:.4f}"
        line = head + "".join(f" {n:.4f}" for n in numbers)
        lines.append(line + (f" {objects.scores[i]:.6f}" if scored else ""))
    return "".join(line + "\n" for line in lines)
