"""Waymo's 3D detection metrics: AP, and APH that weights each match by its heading, by type, range and level.

The rules are those of the Waymo Open Dataset (Sun et al., CVPR 2020; its ``metrics/detection_metrics.cc``). At each of
101 score cut-offs the predictions kept are assigned to the objects so that the summed IoU is greatest.
"""

from __future__ import annotations

import numpy as np

from kecor.evaluation.waymo.counts import CUTOFFS, LEVELS, Side, count
from kecor.evaluation.waymo.curves import Curve, curve
from kecor.evaluation.waymo.inputs import GroundTruth, Predictions
from kecor.evaluation.waymo.pairs import find_pairs

TYPES = ("VEHICLE", "PEDESTRIAN", "SIGN", "CYCLIST")
"""Names of the types 1 to 4."""
RANGES = ("[0, 30)", "[30, 50)", "[50, +inf)")
"""Distance of a box centre from the vehicle's origin, metres."""
BREAKDOWNS = {
    "ONE_SHARD": ["ONE_SHARD"],
    "OBJECT_TYPE": [f"OBJECT_TYPE_TYPE_{name}" for name in TYPES],
    "RANGE": [f"RANGE_TYPE_{name}_{distance}" for name in TYPES for distance in RANGES],
}
"""Breakdown -> names of its shards. Predictions and objects are matched inside a shard."""


def evaluate(
    gt: GroundTruth, predictions: Predictions, breakdowns: tuple[str, ...] = tuple(BREAKDOWNS)
) -> dict[str, Curve]:
    """The curves of every shard at LEVEL_1 and LEVEL_2.

    Args:
        gt: the objects as labelled; those without points are left out, see :meth:`GroundTruth.prepared`.
        predictions: boxes, scores and flags.
        breakdowns: keys of :data:`BREAKDOWNS`.

    Returns:
        Row name, such as ``RANGE_TYPE_VEHICLE_[0, 30)_LEVEL_1`` -> its curve.

    Raises:
        DataError: an array has the wrong shape or a value that is out of range.
    """
    gt = gt.prepared()
    ids, kinds = (
        np.concatenate([getattr(x, name).astype(np.int64) for x in (gt, predictions)]) for name in ("frame_id", "type")
    )
    frames = np.unique(ids, return_inverse=True)[1]
    gt_frame, frame = np.split(frames, [len(gt)])
    gt_group, group = np.split(frames * (len(TYPES) + 1) + kinds, [len(gt)])
    pairs = find_pairs(predictions.boxes, group, gt.boxes, gt_group, predictions.type)
    reach = np.searchsorted(CUTOFFS, predictions.score, side="right")
    rows: dict[str, Curve] = {}
    for name in breakdowns:
        names = BREAKDOWNS[name]
        sides = _side(name, frame, predictions, predictions.overlap_nlz), _side(name, gt_frame, gt, gt.difficulty)
        found = count(*sides, reach, pairs, len(names))
        for s, shard in enumerate(names):
            for i, level in enumerate(LEVELS):
                rows[f"{shard}_LEVEL_{level}"] = curve(found.tp[s], found.fp[s], found.fn[i, s], found.heading[s])
    return rows


def _side(name: str, frame: np.ndarray, objects: GroundTruth | Predictions, flag: np.ndarray) -> Side:
    shard = shards(name, objects.boxes, objects.type)
    group = frame * len(BREAKDOWNS[name]) + shard
    return Side(shard, group, objects.boxes.astype(np.float64), flag.astype(np.int64))


def shards(name: str, boxes: np.ndarray, types: np.ndarray) -> np.ndarray:
    """(N,) int64 shard of each box in the breakdown ``name``."""
    kind = types.astype(np.int64) - 1
    if name == "ONE_SHARD":
        return np.zeros_like(kind)
    if name == "OBJECT_TYPE":
        return kind
    distance = np.linalg.norm(boxes[:, :3].astype(np.float64), axis=1)
    return len(RANGES) * kind + np.searchsorted([30.0, 50.0], distance, side="right")


def summary(rows: dict[str, Curve]) -> dict[str, dict[str, float]]:
    """Row name -> ``AP`` and ``APH`` in [0, 1]."""
    return {name: {"AP": found.ap, "APH": found.aph} for name, found in rows.items()}
