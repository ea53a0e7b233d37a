"""The Waymo layout of OpenPCDet: ``waymo_processed_data*/SEGMENT/{0003.npy, SEGMENT.pkl}``.

Clouds have the columns of ours. The pickle holds a list of dicts, one a frame, with the keys of OpenPCDet's
``waymo_utils.py``; it is read without running anything in it (:mod:`kecor.pickles`).
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kecor.datasets.waymo.raw import LABEL, TYPE_NAMES, check_labels, object_ids, rigid, segment_name, velocity
from kecor.datasets.waymo.segments import read_array
from kecor.errors import DataError
from kecor.files import write_atomic
from kecor.pickles import read_plain_pickle

PROCESSED = "waymo_processed_data"
TAG = f"{PROCESSED}_v0_5_0"


def folder_name(segment: str) -> str:
    """How OpenPCDet spells a segment."""
    return f"segment-{segment}_with_camera_labels"


def points_path(folder: Path, number: int) -> Path:
    """Where a frame's cloud is."""
    return folder / f"{number:04d}.npy"


def info(segment: str, frame: np.void, labels: np.ndarray | None) -> dict[str, Any]:
    """The entry of one frame, of ``segments.FRAME``, in a segment's pickle; without ``annos`` if it has no labels."""
    name, number = folder_name(segment), int(frame["number"])
    entry: dict[str, Any] = {
        "point_cloud": {"num_features": 5, "lidar_sequence": name, "sample_idx": number},
        "frame_id": f"{name}_{number:03d}",
        "metadata": {"context_name": segment, "timestamp_micros": int(frame["timestamp"])},
        "image": {},
        "pose": frame["pose"].astype(np.float32),
        "num_points_of_each_lidar": frame["n_points"].sum(1).tolist(),
    }
    if labels is not None:
        entry["annos"] = _annos(labels[labels["type"] > 0], frame["pose"], entry["frame_id"])
    return entry


def _annos(labels: np.ndarray, pose: np.ndarray, where: str) -> dict[str, Any]:
    return {
        "name": np.array(TYPE_NAMES)[labels["type"]],
        "difficulty": labels["difficulty"].astype(np.int64),
        "dimensions": labels["box"][:, 3:6],
        "location": labels["box"][:, :3],
        "heading_angles": labels["box"][:, 6],
        "obj_ids": object_ids(labels, where),
        "tracking_difficulty": labels["tracking_difficulty"].astype(np.int64),
        "num_points_in_gt": labels["n_points"].astype(np.int64),
        "speed_global": labels["speed"][:, :2],
        "accel_global": labels["acceleration"][:, :2],
        "gt_boxes_lidar": np.concatenate([labels["box"], velocity(labels, pose)], axis=1).astype(np.float32),
    }


def write_infos(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Write a segment's pickle atomically."""
    write_atomic(path, lambda stream: pickle.dump(list(entries), stream, protocol=4))


class _Entry(NamedTuple):
    """What is kept of a frame's info."""

    labels: np.ndarray | None = None
    timestamp: int | None = None
    pose: np.ndarray | None = None


class OpenPcdetStore:
    """The segments of a data set that OpenPCDet prepared. A segment's pickle is opened when it is first needed."""

    def __init__(self, root: Path) -> None:
        found = sorted(path for path in root.glob(f"{PROCESSED}*") if path.is_dir())
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "none"
            raise DataError(f"{root}: expected one folder {PROCESSED}*, found {names}; move the others away")
        self.folders = {segment_name(path.name): path for path in sorted(found[0].iterdir()) if path.is_dir()}
        self._entries: dict[str, dict[int, _Entry]] = {}

    def numbers(self, segment: str) -> list[int]:
        """The numbers of a segment's frames: those of its clouds."""
        return sorted(int(path.stem) for path in self.folders[segment].glob("*.npy") if path.stem.isdecimal())

    def points(self, segment: str, number: int) -> np.ndarray:
        """The (N, 6) cloud of a frame."""
        return read_array(points_path(self.folders[segment], number), np.float32, 6)

    def is_labelled(self, segment: str, number: int) -> bool:
        """Whether the segment's pickle has annotations of the frame."""
        return self._entry(segment, number).labels is not None

    def labels(self, segment: str, number: int) -> np.ndarray:
        """The (M,) labels of a labelled frame."""
        labels = self._entry(segment, number).labels
        if labels is None:
            raise DataError(f"{self._pickle(segment)}: frame {number} is not labelled")
        return labels

    def timestamp(self, segment: str, number: int) -> int | None:
        """Microseconds, or None where the pickle does not say."""
        return self._entry(segment, number).timestamp

    def pose(self, segment: str, number: int) -> np.ndarray | None:
        """(4, 4) vehicle to global, or None where the pickle does not say."""
        return self._entry(segment, number).pose

    def zones(self, segment: str, number: int) -> list[np.ndarray]:
        """None are kept in this layout."""
        return []

    def _pickle(self, segment: str) -> Path:
        folder = self.folders[segment]
        return folder / f"{folder.name}.pkl"

    def _entry(self, segment: str, number: int) -> _Entry:
        if segment not in self._entries:
            path = self._pickle(segment)
            self._entries[segment] = _entries(read_plain_pickle(path), path) if path.exists() else {}
        return self._entries[segment].get(number, _Entry())


def _entries(infos: Any, path: Path) -> dict[int, _Entry]:
    """Frame number -> entry, from the content of a segment's pickle."""
    result = {}
    try:
        for entry in infos:
            number = int(entry["point_cloud"]["sample_idx"])
            time, pose = entry.get("metadata", {}).get("timestamp_micros"), entry.get("pose")
            result[number] = _Entry(
                _labels(entry["annos"], f"{path}: frame {number}") if "annos" in entry else None,
                None if time is None else int(time),
                None if pose is None else rigid(np.asarray(pose), f"{path}: frame {number}: pose"),
            )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{path}: is no list of OpenPCDet's frame infos: {type(error).__name__}: {error}") from error
    counts = [entry.labels["n_points"] for entry in result.values() if entry.labels is not None]
    if sum(map(len, counts)) and not np.concatenate(counts).any():
        raise DataError(f"{path}: num_points_in_gt is 0 for every box: made of v1.0 files; prepare it from newer ones")
    return result


def _labels(annos: dict[str, Any], where: str) -> np.ndarray:
    names = np.asarray(annos["name"], str)
    labels = np.zeros(len(names), LABEL)
    unknown = set(names.tolist()) - set(TYPE_NAMES)
    if unknown:
        raise DataError(f"{where}: unknown class {min(unknown)!r}; expected one of {', '.join(TYPE_NAMES[1:])}")
    labels["type"] = [TYPE_NAMES.index(name) for name in names]
    boxes = np.asarray(annos["gt_boxes_lidar"], np.float64).reshape(len(names), -1)
    labels["box"] = boxes[:, :7]
    labels["n_points"] = annos["num_points_in_gt"]
    for key in ("difficulty", "tracking_difficulty"):
        labels[key] = annos.get(key, 0)
    labels["id"] = np.asarray(annos.get("obj_ids", np.zeros(len(names), "U1")), str).astype("S32")
    if "speed_global" in annos:
        labels["speed"][:, :2] = np.asarray(annos["speed_global"], np.float64).reshape(-1, 2)
    return check_labels(labels, where)
