"""Converting one segment."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from kecor.datasets.waymo import openpcdet, segments
from kecor.datasets.waymo.range_images import frame_points
from kecor.datasets.waymo.raw import RawFrame
from kecor.datasets.waymo.splits import Source
from kecor.datasets.waymo.v1 import read_v1
from kecor.datasets.waymo.v2 import read_v2
from kecor.errors import DataError

Layout = Literal["kecor", "openpcdet"]


@dataclass(frozen=True)
class Converted:
    """What a converted segment holds. ``empty``: numbers of the frames without range images."""

    frames: int
    points: int
    objects: int
    labelled: bool
    empty: list[int]


def segment_folder(home: Path, source: Source, layout: Layout) -> Path:
    """Where a segment's converted folder is."""
    return home / (source.name if layout == "kecor" else openpcdet.folder_name(source.name))


def convert_segment(source: Source, home: Path, layout: Layout, interval: int) -> Converted | DataError:
    """Write a segment into a folder beside its place in ``home`` and move it there; a fault is returned."""
    folder = segment_folder(home, source, layout)
    unfinished = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        converted = _convert(source, unfinished, layout, interval)
    except DataError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        return error
    except OSError as error:
        return DataError(f"{unfinished}: cannot be written: {error.strerror or error}")
    unfinished.rename(folder)
    return converted


def _convert(source: Source, folder: Path, layout: Layout, interval: int) -> Converted:
    """Clouds are written as frames come, labels and index at the end: a segment without any label is not labelled."""
    read = read_v1 if source.path.suffix == ".tfrecord" else read_v2
    points_path = segments.points_path if layout == "kecor" else openpcdet.points_path
    index, labels, zones = [], {}, []
    for number, frame in read(source.path, interval):
        points, counts = frame_points(frame)
        segments.write_array(points_path(folder, number), points)
        index.append((number, frame.timestamp, frame.pose, counts))
        labels[number] = frame.labels
        zones.extend(_zone_rows(number, frame))
    if not index:
        raise DataError(f"{source.path}: holds no frame; download it again")
    frames = np.sort(np.array(index, segments.FRAME), order="number")
    objects = np.concatenate(list(labels.values()))
    if len(objects) and not objects["n_points"].any():
        raise DataError(
            f"{source.path}: num_lidar_points_in_box is 0 for all {len(objects)} labels: a file of version 1.0, which "
            "cannot be evaluated; download version 1.2 or later"
        )
    if layout == "kecor":
        _write_ours(folder, frames, labels if len(objects) else {}, zones)
    else:
        _write_infos(folder, source.name, frames, labels if len(objects) else {})
    n_points = frames["n_points"].sum((1, 2))
    empty = frames["number"][n_points == 0].tolist()
    return Converted(len(frames), int(n_points.sum()), len(objects), len(objects) > 0, empty)


def _zone_rows(number: int, frame: RawFrame) -> list[np.ndarray]:
    """The rows of ``zones.npy`` of one frame."""
    return [np.column_stack([np.full((len(xy), 2), (number, k)), xy]) for k, xy in enumerate(frame.zones)]


def _write_ours(folder: Path, frames: np.ndarray, labels: dict[int, np.ndarray], zones: list[np.ndarray]) -> None:
    for number, rows in labels.items():
        segments.write_array(segments.labels_path(folder, number), rows)
    if zones:
        segments.write_array(folder / "zones.npy", np.concatenate(zones).astype(np.float64))
    segments.write_array(folder / "frames.npy", frames)


def _write_infos(folder: Path, segment: str, frames: np.ndarray, labels: dict[int, np.ndarray]) -> None:
    entries = (openpcdet.info(segment, frame, labels.get(int(frame["number"]))) for frame in frames)
    openpcdet.write_infos(folder / f"{openpcdet.folder_name(segment)}.pkl", entries)
