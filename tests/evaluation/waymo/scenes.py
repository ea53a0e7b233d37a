"""Invented objects and predictions."""

import numpy as np

from kecor.evaluation.waymo.inputs import GroundTruth, Predictions

SIZES = np.array([[4.7, 2.1, 1.7], [0.9, 0.9, 1.7], [0.6, 0.3, 0.8], [1.8, 0.8, 1.8]])


def objects(boxes, types=1, frames=0, difficulty=1, points=100):
    boxes = np.asarray(boxes, np.float64).reshape(-1, 7)
    return GroundTruth(*_columns(len(boxes), boxes, frames, types), *_full(len(boxes), difficulty, points))


def predictions(boxes, scores, types=1, frames=0, nlz=False):
    boxes = np.asarray(boxes, np.float64).reshape(-1, 7)
    score = np.broadcast_to(np.asarray(scores, np.float32), len(boxes)).copy()
    return Predictions(
        *_columns(len(boxes), boxes, frames, types), score, np.broadcast_to(np.asarray(nlz, bool), len(boxes)).copy()
    )


def _columns(n, boxes, frames, types):
    frame, kind = _full(n, frames, types)
    return frame, boxes, kind


def _full(n, *values):
    return [np.broadcast_to(np.asarray(value, np.int64), n).copy() for value in values]


def box(x=10.0, y=0.0, z=1.0, dx=4.0, dy=2.0, dz=1.5, heading=0.0):
    return [x, y, z, dx, dy, dz, heading]


def random_scene(rng, n_frames=4, n_gt=8, n_predictions=14, spread=60.0):
    """Objects, some of them close together, and predictions around them, with all kinds of scores and flags."""
    m = n_frames * n_gt
    types = rng.integers(1, 5, m)
    place = rng.uniform(-spread, spread, (m, 2))
    place[1::3] = place[::3][: len(place[1::3])] + rng.normal(0, 0.5, (len(place[1::3]), 2))
    sizes = SIZES[types - 1] * rng.normal(1, 0.05, (m, 3))
    boxes = np.column_stack([place, rng.normal(1, 0.2, m), sizes, rng.uniform(-9, 9, m)])
    frames = np.repeat(rng.permutation(50)[:n_frames] - 10, n_gt)
    difficulty, points = rng.choice([0, 1, 2], m, p=[0.7, 0.1, 0.2]), rng.integers(0, 20, m)
    gt = GroundTruth(frames, boxes, types, difficulty, points)
    row = rng.integers(0, m, n_frames * n_predictions)
    found = boxes[row] + rng.normal(0, 1, (len(row), 7)) * np.append(0.04 * np.sqrt(SIZES[0]).repeat(2), 0.3)
    found[:, 3:6] = np.abs(found[:, 3:6]) + 0.05
    kind = np.where(rng.random(len(row)) < 0.1, rng.integers(1, 5, len(row)), types[row])
    score = np.round(rng.random(len(row)), rng.integers(1, 5)).astype(np.float32)
    return gt, Predictions(frames[row], found, kind, score, rng.random(len(row)) < 0.2)
