"""A short account of what will be trained, before it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from kecor.config import DataConfig
from kecor.datasets.account import hooks
from kecor.datasets.account.boxes_held import about_boxes_held, share_without_points
from kecor.datasets.account.classes import absent_classes
from kecor.datasets.account.sample import Sample, take_sample
from kecor.datasets.account.values import about_coordinates, about_headings, about_intensity
from kecor.datasets.base import Dataset
from kecor.datasets.samples import inside
from kecor.datasets.voxels import voxel_counts
from kecor.errors import ConfigError, DataError
from kecor.structures import Frame


def account(
    data: DataConfig,
    dataset: Dataset,
    ids: Sequence[str],
    others: Sequence[tuple[Dataset, str]] = (),
    log: Callable[[str], None] = print,
    strict: bool = True,
) -> None:
    """Say what the frames ``ids`` hold and what looks wrong about them; at most 100 of them are read.

    Args:
        data: classes, volume and voxels.
        dataset: where the frames are read from.
        ids: labelled frames that are trained on.
        others: data set and id of further labelled frames in which objects of a class may be found.
        log: takes the lines.
        strict: a class without any object is an error; otherwise only where another label is spelt like it, or where
            no class has an object.

    Raises:
        DataError: no frame has a voxel, or a file cannot be read.
        ConfigError: a class has no object.
    """
    sample = take_sample(dataset, ids)
    voxels = voxel_counts(sample.frames, data.point_cloud_range, data.voxels.size)
    for line in _lines(data, sample, voxels, len(ids)):
        log(line)
    for warning in warnings_of(dataset, sample):
        log(f"warning: {warning}")
    if sample.frames and not voxels.any():
        raise DataError(_nothing_inside(data, sample.frames))
    _check_classes(data, sample, [*((dataset, frame_id) for frame_id in ids), *others], log, strict)


def labelled_in(dataset: Dataset | None) -> list[tuple[Dataset, str]]:
    """The data set with the id of each of its labelled frames, for ``others`` of :func:`account`."""
    return [] if dataset is None else [(dataset, i) for i in dataset.ids if dataset.is_labelled(i)]


def warnings_of(dataset: Dataset, sample: Sample) -> list[str]:
    """What looks wrong about sampled frames, the most serious first."""
    reading = hooks.present_readings(dataset)
    return [
        *about_coordinates(sample.frames),
        *about_boxes_held(sample, reading),
        *about_headings(sample.written, reading),
        *about_intensity(sample.frames, hooks.max_intensity(dataset)),
        *hooks.suspicions(dataset, [frame.frame_id for frame in sample.frames]),
    ]


def _lines(data: DataConfig, sample: Sample, voxels: np.ndarray, n: int) -> list[str]:
    """Frames, boxes by class, points, and shares of what is not trained on."""
    frames = sample.frames
    counts = Counter(name for frame in frames for name in frame.names.tolist())
    boxes = ", ".join(f"{name} {counts[name]}" for name in data.classes)
    read = "" if len(frames) == n else f"; in {len(frames)} of them"
    points = np.median([len(frame.points) for frame in frames]) if frames else 0
    beyond = [~inside(frame.boxes, data.point_cloud_range) for frame in frames]
    out = float(np.concatenate(beyond).mean()) if counts else 0.0
    lost = np.maximum(voxels - data.voxels.max_train, 0).sum() / max(voxels.sum(), 1)
    return [
        f"{n} labelled frames{read}, {counts.total()} boxes: {boxes}",
        f"{points:.0f} points a frame (median); {share_without_points(frames)[0]:.1%} of the boxes hold no point, "
        f"{out:.1%} lie outside the volume; {lost:.1%} of the voxels are lost to data.voxels.max_train",
    ]


def _nothing_inside(data: DataConfig, frames: Sequence[Frame]) -> str:
    """What to say when no frame has a voxel."""
    points = np.concatenate([frame.points[:, :3] for frame in frames])
    where = (
        "there is no point"
        if not len(points)
        else f"points lie from {_three(points.min(0))} to {_three(points.max(0))}"
    )
    return (
        f"none of {len(frames)} frames, such as {frames[0].frame_id}, has a point inside data.point_cloud_range "
        f"{list(data.point_cloud_range)}: {where} (x y z)"
    )


def _three(values: np.ndarray) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def _check_classes(
    data: DataConfig,
    sample: Sample,
    labelled: Sequence[tuple[Dataset, str]],
    log: Callable[[str], None],
    strict: bool,
) -> None:
    found = {name for frame in sample.frames for name in frame.names.tolist()}
    if found >= set(data.classes):
        return
    absent = absent_classes(data.classes, labelled)
    if not absent:
        return
    named = ", ".join(f"{name!r}{hint}" for name, hint in absent.items())
    message = f"data.classes: {len(labelled)} labelled frames hold no object of class {named}"
    if strict or any(absent.values()) or len(absent) == len(data.classes):
        raise ConfigError(f"{message}; correct the name, or leave the class out")
    log(f"warning: {message}")
