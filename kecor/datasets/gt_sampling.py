"""GT sampling: labelled objects of other frames pasted into a training frame (Yan et al., Sensors 2018, 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kecor.datasets.gt_database import GTDatabase
from kecor.errors import ConfigError
from kecor.ops import iou_bev, points_in_boxes
from kecor.registry import TRANSFORMS
from kecor.structures import Boxes, Frame

Candidate = tuple[str, np.ndarray, np.ndarray]
"""Class name, (7,) box and (N, C) points of an object that may be pasted."""


@TRANSFORMS.register_module("gt_sampling")
class GtSampling:
    """Pastes objects of other frames until each class has ``counts[class]`` objects in all.

    An object whose footprint overlaps one already there, of whatever class, is left out, and the scene's points inside
    a pasted box are removed. Where the frame has a ground plane, pasted objects stand on it. It has to be the first
    transform, as obstacles and plane are those of the original sweep; metadata about single boxes is dropped, as it
    would no longer match them; only velocities stay, unknown for what is pasted. The objects come from the database
    that :func:`build_transforms` hands over.
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
        obstacles = frame.meta.get("obstacles", np.zeros((0, 7), np.float32))
        chosen = self._free(np.concatenate([frame.boxes, obstacles]), candidates)
        if not chosen:
            return frame
        names = np.array([name for name, _, _ in chosen])
        boxes = np.stack([box for _, box, _ in chosen])
        boxes, clouds = self._on_the_ground(frame, boxes, [points for _, _, points in chosen])
        scene = frame.points[points_in_boxes(frame.points, boxes) < 0]
        meta = {"image_size": frame.meta["image_size"]} if "image_size" in frame.meta else {}
        if "velocity" in frame.meta:
            unknown = np.full((len(boxes), 2), np.nan, np.float32)
            meta["velocity"] = np.concatenate([frame.meta["velocity"], unknown])
        return replace(
            frame,
            points=np.concatenate([scene, *clouds]),
            boxes=np.concatenate([frame.boxes, boxes]),
            names=np.concatenate([frame.names, names]),
            meta=meta,
        )

    @staticmethod
    def _on_the_ground(frame: Frame, boxes: Boxes, clouds: Sequence[np.ndarray]) -> tuple[Boxes, Sequence[np.ndarray]]:
        """The objects, moved up or down onto the frame's plane a x + b y + c z + d = 0 of the camera frame."""
        plane = frame.meta.get("plane")
        if plane is None:
            return boxes, clouds
        bottoms = boxes[:, :3] - boxes[:, 5:6] * np.array([0, 0, 0.5])
        feet = frame.calib.lidar_to_rect(bottoms)
        below = feet.copy()
        below[:, 1] = -(plane[3] + feet[:, [0, 2]] @ plane[[0, 2]]) / plane[1]
        lift = (frame.calib.rect_to_lidar(below) - frame.calib.rect_to_lidar(feet))[:, 2].astype(np.float32)
        boxes[:, 2] += lift
        up = np.eye(clouds[0].shape[1], dtype=np.float32)[2]
        return boxes, [cloud + dz * up for cloud, dz in zip(clouds, lift)]

    @staticmethod
    def _free(boxes: np.ndarray, candidates: list[Candidate]) -> list[Candidate]:
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
