"""The nouns everything else passes around: frames, boxes, detections, sets of frames, budgets, selections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""(M, 7) boxes ``(x, y, z, dx, dy, dz, heading)``: LiDAR frame (x forward, y left, z up), box centre, metres,
heading in radians about +z from +x towards +y, in [-pi, pi)."""


def wrap_angle(angle: np.ndarray | float) -> np.ndarray:
    """Angles in radians, wrapped to [-pi, pi)."""
    return (np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi


def as_boxes(array: Any, where: str = "boxes") -> Boxes:
    """A valid :data:`Boxes` array from anything box-like.

    Raises:
        ValueError: not (M, 7), not finite, or a size that is not positive; ``where`` names the array.
    """
    boxes = np.asarray(array, dtype=np.float32)
    if boxes.size == 0:
        return np.zeros((0, 7), np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 7:
        raise ValueError(f"{where}: expected shape (M, 7), got {boxes.shape}")
    bad = ~np.isfinite(boxes).all(1) | (boxes[:, 3:6] <= 0).any(1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{where}: row {row} is not finite or has a size that is not positive: {boxes[row].tolist()}")
    boxes = boxes.copy()
    boxes[:, 6] = wrap_angle(boxes[:, 6].astype(np.float64))
    return boxes


@dataclass
class Frame:
    """One sweep: what was measured and, when it is labelled, what is in it.

    Attributes:
        frame_id: unique within its data set.
        points: (N, 4+) float32: x, y, z in metres in the LiDAR frame, intensity in [0, 1], further channels.
        boxes: (M, 7) ground truth; empty when the frame is read without labels.
        names: (M,) class name of each box.
        calib: the data set's calibration, or None.
        meta: further facts, such as ``image_size`` (width, height) in pixels.
    """

    frame_id: str
    points: np.ndarray
    boxes: Boxes = field(default_factory=lambda: np.zeros((0, 7), np.float32))
    names: np.ndarray = field(default_factory=lambda: np.zeros(0, "<U1"))
    calib: Any = None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass
class Detections:
    """Boxes predicted in one frame, after NMS.

    Attributes:
        boxes: (K, 7) as :data:`Boxes` (K, 4 for a 2D detector).
        scores: (K,) in [0, 1].
        labels: (K,) int, 0-based class.
        logits: (K, C) class logits, or None where a detector gives none.
        n_points: (K,) LiDAR points inside each box, or None.
        velocities: (K, 2) m/s along x and y of the LiDAR frame, or None where a detector predicts none.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    logits: np.ndarray | None = None
    n_points: np.ndarray | None = None
    velocities: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass
class FrameOutputs:
    """What a detector says of one frame in eval mode: its detections and the regions a proxy head reads.

    Attributes:
        detections: after NMS.
        roi_boxes: (R, 7) proposals, best first; R is at most the number asked for.
        roi_features: (R, C) feature of each proposal.
        roi_scores: (R,) in [0, 1].
        roi_labels: (R,) int, 0-based class.
        roi_logits: (R, classes) class logits.
        embedding: (D,) one feature vector of the whole frame.
        pass_logits: (R, P, classes) class logits of each proposal in each dropout pass, or None without such passes.
        pass_boxes: (R, P, 7) its boxes in them, or None.
    """

    detections: Detections
    roi_boxes: np.ndarray
    roi_features: np.ndarray
    roi_scores: np.ndarray
    roi_labels: np.ndarray
    roi_logits: np.ndarray
    embedding: np.ndarray
    pass_logits: np.ndarray | None = None
    pass_boxes: np.ndarray | None = None


@dataclass
class FrameSet:
    """What an acquisition function sees of a set of frames. It carries no ground truth of unlabelled frames.

    Attributes:
        ids: (N,) frame ids.
        feats: name -> array whose first axis is the frame (possibly memory-mapped). Names in use: ``roi_features``
            (N, R, C) with ``roi_mask`` (N, R), ``roi_scores`` (N, R) and ``roi_logits`` (N, R, classes); ``embedding``
            (N, D); ``pass_logits`` (N, R, P, classes) and ``pass_boxes`` (N, R, P, 7), what P dropout passes say of
            each RoI, with ``roi_mask`` and ``roi_scores``; for labelled frames also ``targets`` (N, R, T), what the
            detector head should say of each RoI.
        detections: one :class:`Detections` a frame.
        meta: name -> (N,) array.
    """

    ids: np.ndarray
    feats: dict[str, np.ndarray] = field(default_factory=dict)
    detections: list[Detections] = field(default_factory=list)
    meta: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ids = np.asarray(self.ids, dtype=str)
        if len(np.unique(self.ids)) != len(self.ids):
            values, counts = np.unique(self.ids, return_counts=True)
            raise ValueError(f"ids: {str(values[counts > 1][0])!r} stands more than once")
        for name, array in {**self.feats, **self.meta}.items():
            if len(array) != len(self.ids):
                raise ValueError(f"{name}: {len(array)} rows for {len(self.ids)} frames")
        if self.detections and len(self.detections) != len(self.ids):
            raise ValueError(f"detections: {len(self.detections)} for {len(self.ids)} frames")

    def __len__(self) -> int:
        return len(self.ids)

    def n_boxes(self) -> np.ndarray:
        """(N,) number of detected boxes in each frame; zeros when the set has no detections."""
        return np.array([len(d) for d in self.detections] or np.zeros(len(self)), dtype=np.int64)


@dataclass(frozen=True)
class Budget:
    """What one round may spend. A frame costs ``cost_frame + cost_box * boxes``.

    Predicted boxes are charged when frames are selected, true boxes when their labels arrive. Where frames themselves
    are free, a frame without boxes is charged as one box, so that a budget always bounds what it buys.
    """

    amount: float
    cost_frame: float = 1.0
    cost_box: float = 0.0

    def __post_init__(self) -> None:
        if not self.amount >= 0 or self.cost_frame < 0 or self.cost_box < 0:
            raise ValueError(f"a budget and its costs cannot be negative: {self}")
        if self.cost_frame == 0 and self.cost_box == 0:
            raise ValueError("a budget needs cost_frame or cost_box above zero")

    def costs(self, n_boxes: np.ndarray) -> np.ndarray:
        """(N,) float64 cost of frames with ``n_boxes`` boxes each."""
        least = 1 if self.cost_frame == 0 else 0
        return self.cost_frame + self.cost_box * np.maximum(np.asarray(n_boxes, dtype=np.float64), least)


@dataclass
class Selection:
    """What an acquisition function chose.

    Attributes:
        indices: (k,) positions in the pool, in the order they were picked, unique.
        gains: (k,) value of each when it was picked.
        scores: (N,) a score of every pool frame, where the method has one.
        info: further facts, JSON-serialisable, kept with the round.
    """

    indices: np.ndarray
    gains: np.ndarray
    scores: np.ndarray | None = None
    info: dict[str, Any] = field(default_factory=dict)
