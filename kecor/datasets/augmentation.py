"""How training frames are varied: pasted objects, mirror images, turns, sizes (Yan et al., Sensors 2018, 3.2).

A transform takes a frame and a generator and returns a frame; the arrays it was given stay as they were. Points and
boxes change together; calibration and metadata are those of the original sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kecor.datasets.gt_database import GTDatabase
from kecor.errors import ConfigError
from kecor.geometry.boxes import rotate_points
from kecor.ops import iou_bev, points_in_boxes
from kecor.registry import TRANSFORMS
from kecor.structures import Frame, wrap_angle

Transform = Callable[[Frame, np.random.Generator], Frame]


@TRANSFORMS.register_module("gt_sampling")
class GtSampling:
    """Pastes objects of other frames until each class has ``counts[class]`` objects in all.

    An object whose footprint overlaps one already there is left out, and the scene's points inside a pasted box are
    removed. Metadata about single boxes is dropped, as it would no longer match them. The objects come from
    database that :func:`build_transforms` hands over.
    """

    def __init__(self, counts: dict[str, int], min_points: int = 5) -> None:
        bad = {name: count for name, count in counts.items() if not isinstance(count, int) or count < 0}
        if bad:
            raise ConfigError(f"gt_sampling.counts: expected numbers of objects, got {bad}")
        self.counts = counts
        self.min_points = min_points
        self.database = GTDatabase({})

    def use(self, database: GTDatabase) -> None:
        """Take objects from ``database``.

        Raises:
            ConfigError: ``counts`` names a class the database does not know.
        """
        unknown = sorted(set(self.counts) - set(database.objects))
        if unknown:
            known = ", ".join(database.objects)
            raise ConfigError(f"gt_sampling.counts: {unknown[0]!r} is none of the classes {known}")
        self.database = database.with_points(self.min_points)

    def __call__(self, frame: Frame, rng: np.random.Generator) -> Frame:
        candidates = []
        for name, count in self.counts.items():
            missing = max(0, count - int((frame.names == name).sum()))
            candidates += [(name, box, points) for box, points in self.database.sample(name, missing, rng)]
        chosen = self._free(frame.boxes, candidates)
        if not chosen:
            return frame
        names, boxes, clouds = zip(*chosen)
        boxes = np.stack(boxes)
        scene = frame.points[points_in_boxes(frame.points, boxes) < 0]
        return replace(
            frame,
            points=np.concatenate([scene, *clouds]),
            boxes=np.concatenate([frame.boxes, boxes]),
            names=np.concatenate([frame.names, np.array(names)]),
            meta={"image_size": frame.meta["image_size"]} if "image_size" in frame.meta else {},
        )

    @staticmethod
    def _free(boxes: np.ndarray, candidates: list[tuple[str, np.ndarray, np.ndarray]]) -> list:
        """The candidates, in order, that overlap neither ``boxes`` nor a candidate taken before."""
        if not candidates:
            return []
        new = np.stack([box for _, box, _ in candidates])
        overlaps = iou_bev(new, np.concatenate([boxes, new])) > 0
        taken = list(range(len(boxes)))
        for i in range(len(new)):
            if not overlaps[i, taken].any():
                taken.append(len(boxes) + i)
        return [candidates[column - len(boxes)] for column in taken[len(boxes) :]]


@TRANSFORMS.register_module("flip")
class Flip:
    """Mirrors the scene left to right (y -> -y) with a ``probability``."""

    def __init__(self, probability: float = 0.5) -> None:
        if not 0 <= probability <= 1:
            raise ConfigError(f"flip.probability: {probability} is not between 0 and 1")
        self.probability = probability

    def __call__(self, frame: Frame, rng: np.random.Generator) -> Frame:
        if rng.random() >= self.probability:
            return frame
        points, boxes = frame.points.copy(), frame.boxes.copy()
        points[:, 1] *= -1
        boxes[:, 1] *= -1
        boxes[:, 6] = wrap_angle(-boxes[:, 6].astype(np.float64))
        return replace(frame, points=points, boxes=boxes)


@TRANSFORMS.register_module("rotate")
class Rotate:
    """Turns the scene about the sensor's vertical axis by an angle of up to ``max_angle`` radians either way."""

    def __init__(self, max_angle: float = np.pi / 4) -> None:
        if not 0 <= max_angle <= np.pi:
            raise ConfigError(f"rotate.max_angle: {max_angle} is not between 0 and pi")
        self.max_angle = max_angle

    def __call__(self, frame: Frame, rng: np.random.Generator) -> Frame:
        angle = rng.uniform(-self.max_angle, self.max_angle)
        boxes = rotate_points(frame.boxes, angle)
        boxes[:, 6] = wrap_angle(boxes[:, 6].astype(np.float64) + angle)
        return replace(frame, points=rotate_points(frame.points, angle), boxes=boxes)


@TRANSFORMS.register_module("scale")
class Scale:
    """Scales the scene about the sensor by a factor between ``low`` and ``high``."""

    def __init__(self, low: float = 0.95, high: float = 1.05) -> None:
        if not 0 < low <= high:
            raise ConfigError(f"scale: low {low} and high {high} must be positive and in order")
        self.low, self.high = low, high

    def __call__(self, frame: Frame, rng: np.random.Generator) -> Frame:
        factor = rng.uniform(self.low, self.high)
        points, boxes = frame.points.copy(), frame.boxes.copy()
        points[:, :3] *= factor
        boxes[:, :6] *= factor
        return replace(frame, points=points, boxes=boxes)


def build_transforms(augmentation: Sequence[dict[str, Any]], database: Callable[[], GTDatabase]) -> list[Transform]:
    """The transforms of a config's ``data.augmentation``; one with a method ``use`` is handed ``database()``."""
    transforms = [TRANSFORMS.build(dict(settings)) for settings in augmentation]
    for transform in transforms:
        if hasattr(transform, "use"):
            transform.use(database())
    return transforms
