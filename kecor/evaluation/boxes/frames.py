"""The objects and detections of one class over all frames, and their overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kecor.evaluation.boxes.matching import match
from kecor.ops import iou_3d, iou_bev
from kecor.structures import Detections

VIEWS = {"3d": iou_3d, "bev": iou_bev}


@dataclass(frozen=True)
class ClassFrames:
    """What is there of one class in each frame, and what was detected.

    Attributes:
        objects: (M, 7) boxes of each frame.
        detections: (K, 7) boxes of each frame.
        scores: (K,) of each frame.
    """

    objects: Sequence[np.ndarray]
    detections: Sequence[np.ndarray]
    scores: Sequence[np.ndarray]

    @classmethod
    def of_class(
        cls, label: int, name: str, labels: Sequence[tuple[np.ndarray, np.ndarray]], found: Sequence[Detections]
    ) -> ClassFrames:
        """The class ``label``, called ``name``, of frames with ``labels`` (boxes, names) and detections ``found``."""
        own = [d.labels == label for d in found]
        return cls(
            [np.asarray(boxes, np.float64)[names == name] for boxes, names in labels],
            [d.boxes[mask] for d, mask in zip(found, own)],
            [d.scores[mask] for d, mask in zip(found, own)],
        )

    def overlaps(self, view: str) -> list[np.ndarray]:
        """(M, K) intersection over union in each frame, of footprints (``bev``) or volumes (``3d``)."""
        return [VIEWS[view](gt, det) for gt, det in zip(self.objects, self.detections)]

    def ranges(self) -> tuple[np.ndarray, np.ndarray]:
        """Distances in metres from the sensor, from above, of all objects and of all detections."""
        return _distance(self.objects), _distance(self.detections)

    def found(self, overlaps: Sequence[np.ndarray], min_overlap: float) -> np.ndarray:
        """(D,) object that each detection of all frames finds, counted over all frames; -1 for none."""
        starts = np.cumsum([0, *(len(gt) for gt in self.objects)])
        parts = [np.zeros(0, np.int64)]
        for start, pairs, scores in zip(starts, overlaps, self.scores):
            own = match(pairs, scores, min_overlap)
            parts.append(np.where(own >= 0, own + start, -1))
        return np.concatenate(parts)


def _distance(boxes: Sequence[np.ndarray]) -> np.ndarray:
    rows = np.concatenate([np.zeros((0, 7)), *boxes])
    return np.hypot(rows[:, 0], rows[:, 1])
