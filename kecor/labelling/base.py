"""What the annotation formats share: the boxes of a frame, where they lie in a delivery, and the two protocols."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from kecor.errors import DataError
from kecor.structures import wrap_angle

TILT = 0.05
"""Radians of roll or pitch above which a note says that the tilt was dropped."""
LARGEST = 1e6
"""Metres and radians; larger numbers are no place in a sweep."""


@dataclass
class LabelledBoxes:
    """The boxes of one frame.

    Attributes:
        names: (M,) class names.
        boxes: (M, 7) float64, otherwise as :data:`kecor.structures.Boxes`. Files hold more digits than float32.
        notes: what a reader found odd but could use.
    """

    names: np.ndarray = field(default_factory=lambda: np.zeros(0, "<U1"))
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 7)))
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)


Labels = dict[str, LabelledBoxes]
"""Frame id -> its boxes. A frame without boxes is labelled as empty; a frame that is not a key is not labelled."""


class BoxList:
    """Collects the boxes of one frame and checks each."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._boxes: list[list[float]] = []
        self._notes: list[str] = []

    def add(self, where: str, name: str, box: Sequence[float], tilt: Sequence[float] = (0.0, 0.0)) -> None:
        """Add a box.

        Args:
            where: file and object, for messages.
            name: class name.
            box: the 7 numbers; the heading may lie outside [-pi, pi).
            tilt: roll and pitch in radians, which the box has no place for.

        Raises:
            DataError: no name, a number that is not finite or too large, or a size that is not positive.
        """
        name = name.strip()
        if not name or not name.isprintable():
            raise DataError(f"{where}: has no usable class name ({name!r}); give it a class")
        values = [float(v) for v in box]
        if not all(math.isfinite(v) and abs(v) <= LARGEST for v in values):
            limit = f"is not finite or above {LARGEST:g}; boxes are metres and radians around the sensor"
            raise DataError(f"{where}: {values} holds a number that {limit}")
        if min(values[3:6]) <= 0:
            raise DataError(f"{where}: sizes {values[3:6]} are not all above 0; delete the box or draw it again")
        if max(map(abs, tilt)) > TILT:
            roll, pitch = tilt
            self.note(f"{where}: roll {roll:.3f} and pitch {pitch:.3f} rad dropped; boxes stand upright here")
        self._names.append(name)
        self._boxes.append([*values[:6], wrapped(values[6])])

    def note(self, text: str) -> None:
        """Put down what is odd about a box."""
        self._notes.append(text)

    def done(self) -> LabelledBoxes:
        """What was added, in that order."""
        boxes = np.array(self._boxes, np.float64).reshape(-1, 7)
        return LabelledBoxes(np.array(self._names, dtype=str), boxes, self._notes)


def wrapped(angle: float) -> float:
    """``angle`` in [-pi, pi); bit by bit the same where it is there already."""
    return angle if -math.pi <= angle < math.pi else float(wrap_angle(angle))


@dataclass(frozen=True)
class Entry:
    """One labelled frame as it lies in a delivery.

    Attributes:
        name: of the frame, as written there; perhaps with the ending of a cloud.
        source: the file, and the place in it, for messages.
        read: reads its boxes; raises DataError.
        group: the scene or data set folder that the frame lies in, or "".
    """

    name: str
    source: str
    read: Callable[[], LabelledBoxes]
    group: str = ""


class Format(Protocol):
    """How an annotation tool writes boxes.

    Attributes:
        name: as on the command line and in configs.
        precision: metres and radians by which a box may change although nobody touched it.
        options: names of the options that :meth:`entries` reads.
    """

    name: str
    precision: float
    options: tuple[str, ...]

    def entries(self, folder: Path, options: Mapping[str, str]) -> Iterator[Entry]:
        """The labelled frames in ``folder``. A frame that the delivery does not hold is not among them.

        Raises:
            DataError: ``folder`` is no delivery of this format, or an option is needed.
        """
        ...


class ExportFormat(Protocol):
    """How work is handed to annotators.

    Attributes:
        clouds: folder of the point clouds, relative to the export.
        instructions: how annotators open the export and save their work.
    """

    name: str
    clouds: str
    instructions: str

    def write(
        self, folder: Path, labels: Mapping[str, LabelledBoxes], classes: Sequence[str], options: Mapping[str, str]
    ) -> None:
        """Write pre-labels (frame name -> boxes, in the order of the frames) and class list; clouds lie there already.

        Raises:
            DataError: the format cannot hold a class name, or an option is wrong.
        """
        ...
