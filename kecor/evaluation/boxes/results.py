"""Detections as they come from outside, checked; and their result files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kecor.datasets.custom.labels import format_labels
from kecor.errors import DataError
from kecor.files import write_text
from kecor.structures import Detections


def checked(frame_id: str, found: Detections, n_classes: int, min_score: float = 0.0) -> Detections:
    """Detections of a frame from ``min_score`` on: float64 boxes and scores, int64 labels.

    Raises:
        DataError: the arrays do not fit together, a number is not finite, or a label is none of the classes.
    """
    boxes = np.asarray(found.boxes, np.float64)
    boxes = np.zeros((0, 7)) if boxes.size == 0 else boxes
    scores, labels = np.asarray(found.scores, np.float64), np.asarray(found.labels, np.int64)
    if boxes.shape != (len(scores), 7) or len(labels) != len(scores):
        raise DataError(f"frame {frame_id}: boxes {boxes.shape}, scores {scores.shape}, labels {labels.shape}")
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise DataError(f"frame {frame_id}: a detected box or its score is not finite")
    if len(labels) and not 0 <= labels.min() <= labels.max() < n_classes:
        raise DataError(f"frame {frame_id}: a label is none of 0 to {n_classes - 1}")
    keep = scores >= min_score
    return Detections(boxes[keep], scores[keep], labels[keep])


def write_results(folder: Path, detections: Mapping[str, Detections], classes: Sequence[str]) -> None:
    """Write ``ID.txt`` for each frame: ``x y z dx dy dz heading class score`` a line, empty where nothing was found."""
    for frame_id, found in detections.items():
        names = [classes[label] for label in found.labels.tolist()]
        write_text(Path(folder) / f"{frame_id}.txt", format_labels(found.boxes, names, found.scores))
