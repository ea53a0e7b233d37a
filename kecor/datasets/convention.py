"""How boxes were meant: the reading of heading, centre and sizes under which they hold points.

Tools and data sets differ in what they call heading zero, in its sign and unit, in whether a box is given by its
centre or its bottom, and in the order of length and width. A wrong reading shows in the points: boxes that enclose
their objects hold far more of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kecor.errors import ConfigError
from kecor.ops import count_points_in_boxes, points_in_boxes
from kecor.structures import Frame

FACTOR = 1.5
"""A reading is named when it holds this many times the points of the present one."""
ALIKE = 0.95
"""Share of the most points from which readings count as equally good."""
MIN_POINTS = 20
"""Points of a class, under the better reading, below which nothing is concluded."""
GROUND_CELL, GROUND_HEIGHT = 2.0, 0.2
"""Metres: points this little above the lowest of their cell are ground, and may fill boxes that are too low."""


def _turned(boxes: np.ndarray) -> np.ndarray:
    return boxes + np.array([0, 0, 0, 0, 0, 0, np.pi / 2])


def _clockwise(boxes: np.ndarray) -> np.ndarray:
    return boxes * np.array([1, 1, 1, 1, 1, 1, -1])


def _bottom(boxes: np.ndarray) -> np.ndarray:
    return boxes + boxes[:, 5:6] / 2 * np.array([0, 0, 1, 0, 0, 0, 0])


def _top(boxes: np.ndarray) -> np.ndarray:
    return boxes - boxes[:, 5:6] / 2 * np.array([0, 0, 1, 0, 0, 0, 0])


def _degrees(boxes: np.ndarray) -> np.ndarray:
    return np.column_stack([boxes[:, :6], np.deg2rad(boxes[:, 6])])


def _swapped(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, [0, 1, 2, 4, 3, 5, 6]]


READINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "degrees": _degrees,
    "clockwise": _clockwise,
    "turned": _turned,
    "swapped": _swapped,
    "bottom": _bottom,
    "top": _top,
}
"""Name -> function from (M, 7) boxes as written to the boxes meant. Several are applied in this order."""
MEANINGS = {
    "degrees": "headings are degrees",
    "clockwise": "headings run clockwise",
    "turned": "heading zero is along +y, a quarter turn from +x",
    "swapped": "width comes before length",
    "bottom": "z is the bottom of the box, not its centre",
    "top": "z is the top of the box, not its centre",
}


@dataclass(frozen=True)
class Reading:
    """A reading that suits the boxes of a class better than the present one.

    Attributes:
        name: the class.
        readings: names of :data:`READINGS`, to be applied together, those already in use included.
        points: points that its boxes hold so.
        points_now: points that they hold as they are.
    """

    name: str
    readings: tuple[str, ...]
    points: int
    points_now: int

    def __str__(self) -> str:
        what = " and ".join(MEANINGS[reading] for reading in self.readings)
        return f"{self.name}: boxes hold {self.points} points instead of {self.points_now} if {what}"


def apply_readings(boxes: np.ndarray, readings: Iterable[str]) -> np.ndarray:
    """(M, 7) float64 boxes meant by boxes as written."""
    boxes = np.asarray(boxes, np.float64)
    chosen = set(readings)
    for name, read in READINGS.items():
        if name in chosen:
            boxes = read(boxes)
    return boxes


def check_readings(label_reading: Sequence[str]) -> list[str]:
    """``label_reading``, if all are known; raises :class:`ConfigError` otherwise."""
    for name in label_reading:
        if name not in READINGS:
            raise ConfigError(f"data.label_reading: {name!r} is none of {', '.join(READINGS)}")
    return list(label_reading)


def better_readings(frames: Sequence[Frame], present: Sequence[str] = ()) -> list[Reading]:
    """For each class, the reading under which its boxes hold at least 1.5 times as many points, if there is one.

    Points of the ground do not count. Of readings that hold about as many, the one that changes least is taken.

    Args:
        frames: labelled sweeps, with boxes as written: headings that were wrapped tell no degrees.
        present: the readings in use.
    """
    near = [_near(_without_ground(frame.points[:, :3]), frame.boxes) for frame in frames]
    found = []
    for name in sorted({str(name) for frame in frames for name in frame.names}):
        pairs = [(points, frame.boxes[frame.names == name]) for points, frame in zip(near, frames)]
        boxes = np.concatenate([boxes for _, boxes in pairs])
        held = {readings: _held(pairs, readings) for readings in _candidates(boxes)}
        now, most = _held(pairs, present), max(held.values())
        if most >= MIN_POINTS and most >= FACTOR * now:
            good = [readings for readings, points in held.items() if points >= ALIKE * most]
            best = min(good, key=lambda readings: len(set(readings) ^ set(present)))
            found.append(Reading(name, best, held[best], now))
    return found


def _candidates(boxes: np.ndarray) -> list[tuple[str, ...]]:
    """The readings worth trying, as combinations.

    Degrees only where some heading exceeds two pi. A box turned by a quarter and one whose length and width are
    swapped cover the same ground: the mean sizes tell which it would be.
    """
    length, width = boxes[:, 3:5].mean(axis=0)
    units = [(), ("degrees",)] if np.abs(boxes[:, 6]).max() > 2 * np.pi else [()]
    quarters = [(), ("swapped",) if length < width else ("turned",)]
    heights = [(), ("bottom",), ("top",)]
    return [
        (*unit, *sense, *quarter, *height)
        for unit, sense, quarter, height in itertools.product(units, [(), ("clockwise",)], quarters, heights)
    ]


def _held(pairs: Sequence[tuple[np.ndarray, np.ndarray]], readings: Sequence[str]) -> int:
    return sum(int(count_points_in_boxes(points, apply_readings(boxes, readings)).sum()) for points, boxes in pairs)


def _near(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The points that some reading of the boxes may hold."""
    wide = np.array(boxes, np.float64)
    wide[:, 3:5] = np.linalg.norm(wide[:, 3:5], axis=1, keepdims=True)
    wide[:, 5] *= 2
    return points[points_in_boxes(points, wide) >= 0]


def _without_ground(points: np.ndarray) -> np.ndarray:
    column, row = np.floor(points[:, :2].astype(np.float64) / GROUND_CELL).astype(np.int64).T
    _, cell = np.unique(column * (1 << 32) + row, return_inverse=True)
    lowest = np.full(cell.max(initial=-1) + 1, np.inf)
    np.minimum.at(lowest, cell, points[:, 2])
    return points[points[:, 2] > lowest[cell] + GROUND_HEIGHT]
