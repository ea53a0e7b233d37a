"""The labelled objects of some frames, cut out with their points, for pasting into other frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kecor.ops import points_in_boxes
from kecor.structures import Frame


@dataclass(frozen=True)
class GTDatabase:
    """Objects by class name, in memory: pairs of a (7,) box and its (N, C) points, both in the LiDAR frame.

    It knows no data set and no path: it holds objects of the frames it was made from, never of another.
    """

    objects: dict[str, list[tuple[np.ndarray, np.ndarray]]]

    @classmethod
    def from_frames(cls, frames: Iterable[Frame], classes: Sequence[str]) -> GTDatabase:
        """Every object of ``classes`` in labelled ``frames``. A point in two boxes goes to the first."""
        objects: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in classes}
        for frame in frames:
            owner = points_in_boxes(frame.points, frame.boxes)
            for row, name in enumerate(frame.names.tolist()):
                if name in objects:
                    objects[name].append((frame.boxes[row].copy(), frame.points[owner == row]))
        return cls(objects)

    def with_points(self, min_points: int) -> GTDatabase:
        """The part of the database whose objects have at least ``min_points`` points."""
        return GTDatabase(
            {name: [o for o in objects if len(o[1]) >= min_points] for name, objects in self.objects.items()}
        )

    def sample(self, name: str, n: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
        """``n`` different objects of a class at random, all of them where there are fewer, none of an unknown class."""
        objects = self.objects.get(name, [])
        return [objects[i] for i in rng.choice(len(objects), size=min(n, len(objects)), replace=False)]
