"""How training frames are varied: pasted objects, mirror images, turns, sizes (Yan et al., Sensors 2018, 3.2).

A transform takes a frame and a generator and returns a frame; the arrays it was given stay as they were. Points, boxes
and the boxes' velocities change together; calibration and other metadata are those of the original sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kecor.datasets.gt_database import GTDatabase
from kecor.errors import ConfigError
from kecor.geometry.boxes import rotate_points
from kecor.registry import TRANSFORMS
from kecor.structures import Frame, wrap_angle

Transform = Callable[[Frame, np.random.Generator], Frame]


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
        meta = _with_velocity(frame, lambda velocity: velocity * np.array([1, -1], np.float32))
        return replace(frame, points=points, boxes=boxes, meta=meta)


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
        meta = _with_velocity(frame, lambda velocity: rotate_points(velocity, angle))
        return replace(frame, points=rotate_points(frame.points, angle), boxes=boxes, meta=meta)


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
        meta = _with_velocity(frame, lambda velocity: velocity * np.float32(factor))
        return replace(frame, points=points, boxes=boxes, meta=meta)


def _with_velocity(frame: Frame, change: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    """The metadata of a frame, with the velocities (M, 2) of its boxes changed where it has them."""
    velocity = frame.meta.get("velocity")
    return frame.meta if velocity is None else {**frame.meta, "velocity": change(velocity)}


def build_transforms(augmentation: Sequence[dict[str, Any]], database: Callable[[], GTDatabase]) -> list[Transform]:
    """The transforms of a config's ``data.augmentation``; one with a method ``use`` is handed ``database()``."""
    transforms = [TRANSFORMS.build(dict(settings)) for settings in augmentation]
    for transform in transforms:
        if hasattr(transform, "use"):
            transform.use(database())
    return transforms
