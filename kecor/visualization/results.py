"""Detections of a KITTI result file, to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor.datasets.kitti.calibration import Calibration
from kecor.datasets.kitti.labels import read_objects
from kecor.structures import Detections


def read_detections(path: str | Path, calib: Calibration, classes: Sequence[str]) -> Detections:
    """The detections of ``classes`` in a result file, in the LiDAR frame; scores are squeezed into [0, 1] if need be.

    Scores of other detectors may be of any range; those outside [0, 1] go through the logistic function, which keeps
    their order.

    Raises:
        DataError: the file is missing or malformed; names the line.
    """
    objects = read_objects(path, scored=True)
    objects = objects.take(np.isin(objects.names, list(classes)))
    scores = objects.scores
    if len(scores) and (scores.min() < 0 or scores.max() > 1):
        scores = 0.5 * (1 + np.tanh(scores / 2))
    labels = np.array([list(classes).index(name) for name in objects.names], dtype=np.int64)
    return Detections(calib.boxes_to_lidar(objects), scores, labels)
