"""Detections as the boxes of a nuScenes result file (nuscenes-devkit, nuscenes/eval/detection/README.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from kecor.datasets.nuscenes.categories import attribute_of
from kecor.structures import Detections, as_boxes

MAX_BOXES = 500
"""Boxes that a result file may hold for one sample."""

META = {"use_camera": False, "use_lidar": True, "use_radar": False, "use_map": False, "use_external": False}


def to_submission(token: str, found: Detections, classes: Sequence[str], pose: np.ndarray) -> list[dict[str, Any]]:
    """The boxes of one sample in the global frame, at most the :data:`MAX_BOXES` with the highest scores.

    Detections without velocities are written as standing still.

    Args:
        token: of the sample.
        found: its detections, in the LiDAR frame.
        classes: class names in the order of the labels.
        pose: (4, 4) of the LiDAR in the global frame.

    Raises:
        ValueError: a box, score, label or velocity is faulty.
    """
    boxes = as_boxes(found.boxes).astype(np.float64)
    scores, labels, velocities = _checked(found, len(boxes), len(classes))
    chosen = np.argsort(-scores, kind="stable")[:MAX_BOXES]
    names = [classes[label] for label in labels[chosen].tolist()]
    centres = boxes[chosen, :3] @ pose[:3, :3].T + pose[:3, 3]
    turns = Rotation.from_matrix(pose[:3, :3]) * Rotation.from_euler("z", boxes[chosen, 6:7])
    quaternions = np.roll(turns.as_quat().reshape(-1, 4), 1, axis=1)
    moves = velocities[chosen] @ pose[:2, :2].T
    attributes = [attribute_of(name, speed) for name, speed in zip(names, np.linalg.norm(moves, axis=1))]
    return [
        {
            "sample_token": token,
            "translation": centres[i].tolist(),
            "size": boxes[k, [4, 3, 5]].tolist(),
            "rotation": quaternions[i].tolist(),
            "velocity": moves[i].tolist(),
            "detection_name": names[i],
            "detection_score": float(scores[k]),
            "attribute_name": attributes[i],
        }
        for i, k in enumerate(chosen)
    ]


def _checked(found: Detections, count: int, n_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (K,), labels (K,) and velocities (K, 2)."""
    scores, labels = np.asarray(found.scores, np.float64), np.asarray(found.labels)
    velocities = np.zeros((count, 2)) if found.velocities is None else np.asarray(found.velocities, np.float64)
    if scores.shape != (count,) or labels.shape != (count,) or velocities.shape != (count, 2):
        shapes = f"{scores.shape}, labels {labels.shape}, velocities {velocities.shape}"
        raise ValueError(f"{count} boxes have scores {shapes}; expected (K,), (K,) and (K, 2)")
    if not (np.isfinite(scores).all() and np.isfinite(velocities).all()):
        raise ValueError("a score or a velocity is not finite")
    if ((labels < 0) | (labels >= n_classes)).any():
        raise ValueError(f"labels {np.unique(labels).tolist()} are not all below {n_classes}")
    return scores, labels, velocities
