"""Boxes that hold no point, and the reading of clouds or labels under which they would."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from kecor.datasets.account.sample import Sample, evenly_frames
from kecor.datasets.convention import better_readings
from kecor.ops import count_points_in_boxes
from kecor.structures import Frame

EMPTY = 0.2
"""Share of boxes without points from which a warning is given. Of KITTI's own boxes 4 % hold none."""
FEW = 10
"""Boxes below which nothing is concluded."""
FULL = 0.5
"""Share of boxes with points from which another reading is named, if it is also twice the present share."""
POINTS = 20_000
"""Points of a cloud with which other axes are tried."""


def share_without_points(frames: Iterable[Frame]) -> tuple[float, int]:
    """Share of the boxes of ``frames`` that hold no point, 0 without boxes, and the number of boxes."""
    held = [count_points_in_boxes(frame.points[:, :3], frame.boxes) > 0 for frame in frames]
    full = np.concatenate(held) if held else np.zeros(0, bool)
    return (float(1 - full.mean()) if len(full) else 0.0), len(full)


def about_boxes_held(sample: Sample, label_reading: Sequence[str] | None) -> list[str]:
    """Warnings when boxes hold no points, or would hold far more if they were read otherwise."""
    readings = []
    for reading in better_readings(sample.written, label_reading or ()):
        names = f"data.label_reading: [{', '.join(reading.readings)}] reads them so"
        readings.append(f"{reading}; {'write the labels again' if label_reading is None else names}")
    share, boxes = share_without_points(sample.frames)
    if share < EMPTY or boxes < FEW:
        return readings
    empty = f"{share:.0%} of {boxes} boxes in {len(sample.frames)} frames hold no point"
    other = _otherwise_written(sample, 1 - share) or _other_axes(evenly_frames(sample.frames), 1 - share)
    if other:
        return [f"{empty}; they do when {other}"]
    return [f"{empty}; are they in the frame of the LiDAR?", *readings]


def _otherwise_written(sample: Sample, present: float) -> str | None:
    """The description of the other boxes of a data set that hold points, if some do."""
    frames = evenly_frames(sample.frames)
    shares = {}
    for name in sample.others[0] if sample.others else ():
        pairs = [Frame(f.frame_id, f.points, other[name]) for f, other in zip(frames, sample.others) if name in other]
        shares[name] = 1 - share_without_points(pairs)[0]
    return _fullest(shares, present)


def _other_axes(frames: Sequence[Frame], present: float) -> str | None:
    """The axes of the clouds under which boxes hold points, if there are such."""
    clouds = [frame.points[:: max(1, len(frame.points) // POINTS), :3] for frame in frames]
    shares = {}
    for order, signs in itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)):
        turned = [
            Frame(frame.frame_id, cloud[:, order] * np.array(signs, np.float32), frame.boxes)
            for cloud, frame in zip(clouds, frames)
        ]
        axes = " ".join("-"[sign > 0 :] + "xyz"[axis] for axis, sign in zip(order, signs))
        shares[f"x y z of the points are read as {axes}: write the clouds with x forward, y left, z up"] = (
            1 - share_without_points(turned)[0]
        )
    return _fullest(shares, present)


def _fullest(shares: dict[str, float], present: float) -> str | None:
    """The reading with the highest share of boxes that hold points, if it is worth naming."""
    best = max(shares, key=lambda name: shares[name], default=None)
    return best if best is not None and shares[best] >= max(FULL, 2 * present) else None
