"""Benchmark of Waymo's detection metrics: time and results, compared with the official op in the same run."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from kecor.errors import ConfigError
from kecor.evaluation.waymo import GroundTruth, Predictions, evaluate, summary
from kecor.evaluation.waymo.official import evaluate_official, official_python
from kecor.tables import format_table

SIZES = np.array([[4.7, 2.1, 1.7], [0.9, 0.9, 1.7], [0.6, 0.2, 0.8], [1.8, 0.8, 1.8]])
"""Length, width and height of a vehicle, pedestrian, sign and cyclist, metres."""
SHARES = np.array([0.55, 0.25, 0.15, 0.05])
"""Relative frequency of each class."""
TIMED = ("OBJECT_TYPE", "RANGE")
"""The published breakdowns; with ONE_SHARD the official op takes minutes for 2,000 frames."""
HEADERS = ["breakdown", "official CPU s", "official s", "ours CPU s", "ours s", "speed-up", "largest difference"]


def benchmark_waymo_metric(frames: int, boxes: int, predictions: int, python: Path | None, seed: int) -> str:
    """Time Waymo's metrics by type and by range, LEVEL_1 and LEVEL_2 together.

    ``speed-up`` compares CPU seconds, because the official op uses several threads and ours one. Compilation and the
    start of TensorFlow are not included. The frames are synthetic, with two thirds of the predictions near an object.

    Args:
        frames: number of frames.
        boxes: objects per frame.
        predictions: predictions per frame.
        python: Python interpreter with the official op; None reads the environment variable.
        seed: of the synthetic frames.

    Raises:
        ConfigError: a number is below 1.
        DataError: the official op is not installed; says how to install it.
    """
    if min(frames, boxes, predictions) < 1:
        raise ConfigError(f"--frames {frames} --boxes {boxes} --predictions {predictions}: each must be at least 1")
    python = official_python(python)
    gt, found = synthetic(frames, boxes, predictions, np.random.default_rng(seed))
    evaluate(*synthetic(2, boxes, predictions, np.random.default_rng(seed)))  # compiles the kernels
    rows = []
    for name in TIMED:
        started = time.perf_counter(), time.process_time()
        ours = summary(evaluate(gt, found, (name,)))
        seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
        official = evaluate_official(gt, found, python, (name,))
        worst = max(
            abs(value - ours[row][key]) for row, v in official["breakdowns"].items() for key, value in v.items()
        )
        took = official["cpu_seconds"], official["seconds"]
        rows.append([name, *took, cpu, seconds, took[0] / cpu, f"{worst:.0e}"])
    title = f"{frames} frames, {boxes} objects and {predictions} predictions each"
    return f"{title}\n\n{format_table(HEADERS, rows)}"


def synthetic(frames: int, boxes: int, predictions: int, rng: np.random.Generator) -> tuple[GroundTruth, Predictions]:
    """``frames`` frames with ``boxes`` objects and ``predictions`` predictions each."""
    m, n = frames * boxes, frames * predictions
    types = rng.choice(4, m, p=SHARES)
    place = np.column_stack([rng.uniform(-75, 75, (m, 2)), rng.normal(1, 0.5, m)])
    labelled = np.column_stack([place, SIZES[types] * rng.normal(1, 0.05, (m, 3)), rng.uniform(-np.pi, np.pi, m)])
    frame = np.repeat(np.arange(frames), boxes)
    gt = GroundTruth(frame, labelled.astype(np.float32), types + 1, np.zeros(m, int), rng.integers(0, 60, m))
    row = np.repeat(np.arange(frames), predictions) * boxes + rng.integers(0, boxes, n)
    moved = labelled[row].copy()
    moved[:, :3] += rng.normal(0, 0.03, (n, 3)) * SIZES[types[row]]
    moved[:, 3:6] *= rng.normal(1, 0.04, (n, 3))
    moved[:, 6] += rng.normal(0, 0.05, n)
    away = rng.random(n) < 1 / 3
    moved[away, :2] = rng.uniform(-75, 75, (int(away.sum()), 2))
    scores, ignored = rng.random(n).astype(np.float32), rng.random(n) < 0.05
    return gt, Predictions(frame[row], moved.astype(np.float32), types[row] + 1, scores, ignored)
