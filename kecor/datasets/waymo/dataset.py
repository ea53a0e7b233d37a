"""Waymo as a data set: the converted frames of one split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from kecor.datasets.waymo.raw import TYPE_NAMES, object_ids, velocity
from kecor.datasets.waymo.segments import split_id
from kecor.datasets.waymo.splits import listed_frames, open_store
from kecor.errors import ConfigError, DataError
from kecor.registry import DATASETS
from kecor.structures import Boxes, Frame, as_boxes

NOT_IN_ZONE = -1.0
"""The flag of a point outside no-label zones."""


@DATASETS.register_module("waymo")
class WaymoDataset:
    """The frames of one split of a converted data set: ours, or the one OpenPCDet prepared.

    Points are x, y, z in the vehicle frame, intensity and elongation, of all five lasers and both returns.

    Args:
        root: the folder that holds ``ImageSets``, and ``segments`` or one folder ``waymo_processed_data*``.
        split: name of a list in ``ImageSets``: a segment a line, or ``SEGMENT/000003`` for a single frame.
        classes: of Vehicle, Pedestrian, Cyclist and Sign, those that are ground truth.
        intensity: ``tanh`` brings intensity into [0, 1), as published detectors expect; ``raw`` leaves it as measured,
            where single points reach thousands.
        no_label_zones: keep points in no-label zones, where objects are not labelled.
        min_points: objects with fewer LiDAR points, as counted by Waymo, are not ground truth. The benchmark leaves
            out those without a point; 0 keeps them.

    Attributes:
        ids: the frame ids, ``SEGMENT/NUMBER``.

    Raises:
        DataError: no data set there, or no such list.
        ConfigError: an argument is wrong.
    """

    n_features = 5
    metric = "waymo"

    def __init__(
        self,
        root: str | Path,
        split: str,
        classes: Sequence[str],
        intensity: Literal["tanh", "raw"] = "tanh",
        no_label_zones: bool = False,
        min_points: int = 1,
    ) -> None:
        unknown = set(classes) - set(TYPE_NAMES[1:])
        if unknown:
            raise ConfigError(
                f"data.classes: {min(unknown)!r} is no class of waymo; it has {', '.join(TYPE_NAMES[1:])}"
            )
        if intensity not in ("tanh", "raw"):
            raise ConfigError(f"data.intensity: {intensity!r}: expected 'tanh' or 'raw'")
        self.root = Path(root)
        self.split = split
        self.classes = list(classes)
        self.intensity = intensity
        self.no_label_zones = no_label_zones
        self.min_points = min_points
        self._store = open_store(self.root)
        self.ids = listed_frames(self.root, split, self._store)
        self._known = frozenset(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, frame_id: str, labels: bool = True) -> Frame:
        """One frame. Without ``labels`` its labels are not opened, and it has no boxes.

        ``meta`` holds ``pose``, (4, 4) vehicle to global or None, and ``no_label_zones``, a list of (K, 2) corners in
        the global frame; for a labelled frame also ``n_points`` and ``difficulty`` as of :meth:`label_facts`,
        ``object_ids`` (M,), ``velocity`` (M, 2) in m/s in the vehicle frame and ``obstacles`` (K, 7), the boxes of
        other classes.

        Raises:
            DataError: a file of the frame is missing or faulty; names it and says what to do.
        """
        segment, number = self._key(frame_id)
        pose = self._store.pose(segment, number)
        frame = Frame(frame_id, self._points(segment, number))
        frame.meta = {"pose": pose, "no_label_zones": self._store.zones(segment, number)}
        if labels:
            rows = self._store.labels(segment, number)
            wanted = self._wanted(rows)
            others = rows[~np.isin(rows["type"], self._types()) & (rows["n_points"] > 0)]
            frame.boxes, frame.names = _boxes(rows[wanted], frame_id)
            frame.meta.update(_facts(rows[wanted]))
            frame.meta["object_ids"] = object_ids(rows[wanted], frame_id)
            frame.meta["velocity"] = velocity(rows[wanted], pose)
            frame.meta["obstacles"] = _boxes(others, frame_id)[0]
        return frame

    def read_labels(self, frame_id: str) -> tuple[Boxes, np.ndarray]:
        """Boxes (M, 7) and class names (M,) of a labelled frame; its point cloud is not read.

        Raises:
            DataError: the frame has no labels, or they are faulty.
        """
        return _boxes(self._rows(frame_id), frame_id)

    def label_facts(self, frame_id: str) -> dict[str, np.ndarray]:
        """What the metric needs besides, for each box of :meth:`read_labels`.

        ``n_points`` (M,): LiDAR points in the box, as counted by Waymo. ``difficulty`` (M,): as given by annotators,
        1 or 2; 0 where it is not given and follows from the number of points.

        Raises:
            DataError: as :meth:`read_labels`.
        """
        return _facts(self._rows(frame_id))

    def is_labelled(self, frame_id: str) -> bool:
        """Whether labels of the frame exist, be it without an object."""
        return self._store.is_labelled(*self._key(frame_id))

    def sequence(self, frame_id: str) -> str:
        """The frame's segment: its context name."""
        return self._key(frame_id)[0]

    def timestamp(self, frame_id: str) -> float | None:
        """Seconds, or None where OpenPCDet's files do not say."""
        micros = self._store.timestamp(*self._key(frame_id))
        return None if micros is None else micros * 1e-6

    def _key(self, frame_id: str) -> tuple[str, int]:
        if frame_id not in self._known:
            raise DataError(f"{self.root}: split {self.split} has no frame {frame_id!r}")
        return split_id(frame_id)

    def _points(self, segment: str, number: int) -> np.ndarray:
        points = self._store.points(segment, number)
        if not np.isfinite(points).all():
            raise DataError(f"{self._store.folders[segment]}: frame {number} has points that are not finite")
        outside = points[:, 5] == NOT_IN_ZONE
        if not self.no_label_zones and not outside.all():
            points = points.take(np.flatnonzero(outside), axis=0)
        points = np.ascontiguousarray(points[:, :5])
        if self.intensity == "tanh":
            np.tanh(points[:, 3], out=points[:, 3])
        return points

    def _types(self) -> list[int]:
        return [TYPE_NAMES.index(name) for name in self.classes]

    def _wanted(self, rows: np.ndarray) -> np.ndarray:
        """(M,) mask of the labels that are ground truth."""
        return np.isin(rows["type"], self._types()) & (rows["n_points"] >= self.min_points)

    def _rows(self, frame_id: str) -> np.ndarray:
        rows = self._store.labels(*self._key(frame_id))
        return rows[self._wanted(rows)]


def _boxes(rows: np.ndarray, frame_id: str) -> tuple[Boxes, np.ndarray]:
    """Boxes and class names of labels."""
    try:
        return as_boxes(rows["box"], f"frame {frame_id}"), np.array(TYPE_NAMES)[rows["type"]]
    except (ValueError, IndexError) as error:
        raise DataError(f"labels of {error}; convert the segment again") from error


def _facts(rows: np.ndarray) -> dict[str, np.ndarray]:
    return {"n_points": rows["n_points"].astype(np.int64), "difficulty": rows["difficulty"].astype(np.int64)}
