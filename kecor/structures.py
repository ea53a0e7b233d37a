"""Data types shared by all packages: frames, boxes, detections, frame sets, budgets and selections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""(M, 7) boxes ``(x, y, z, dx, dy, dz, heading)``: centre and size in metres, in the LiDAR frame (x forward, y left,
z up); heading in radians about +z, from +x towards +y, in [-pi, pi)."""


def wrap_angle(angle: np.ndarray | float) -> np.ndarray:
    """Wrap angles in radians to [-pi, pi)."""
    return (np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi


def as_boxes(array: Any, where: str = "boxes") -> Boxes:
    """Convert an array-like to a valid :data:`Boxes` array.

    Args:
        array: (M, 7), or empty.
        where: name of the array, for error messages.

    Raises:
        ValueError: the shape is not (M, 7), a value is not finite or a size is not positive.
    """
    boxes = np.asarray(array, dtype=np.float32)
    if boxes.size == 0:
        return np.zeros((0, 7), np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 7:
        raise ValueError(f"{where}: expected shape (M, 7), got {boxes.shape}")
    bad = ~np.isfinite(boxes).all(1) | (boxes[:, 3:6] <= 0).any(1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{where}: row {row}: got {boxes[row].tolist()}; expected finite values and positive sizes")
    boxes = boxes.copy()
    boxes[:, 6] = wrap_angle(boxes[:, 6].astype(np.float64))
    return boxes


@dataclass
class Frame:
    """One LiDAR sweep, with its labels if they were read.

    Attributes:
        frame_id: unique within the data set.
        points: (N, 4+) float32: x, y, z in metres in the LiDAR frame, intensity in [0, 1], further channels.
        boxes: (M, 7) ground truth, see :data:`Boxes`; empty if the frame was read without labels.
        names: (M,) class name of each box.
        calib: the data set's calibration, or None.
        meta: further data, such as ``image_size`` (width, height) in pixels.
    """

    frame_id: str
    points: np.ndarray
    boxes: Boxes = field(default_factory=lambda: np.zeros((0, 7), np.float32))
    names: np.ndarray = field(default_factory=lambda: np.zeros(0, "<U1"))
    calib: Any = None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass
class Detections:
    """Boxes predicted in one frame, after non-maximum suppression (NMS).

    Attributes:
        boxes: (K, 7), see :data:`Boxes`; (K, 4) for a 2D detector.
        scores: (K,) in [0, 1].
        labels: (K,) int, 0-based class.
        logits: (K, C) class logits, or None if the detector has none.
        n_points: (K,) number of LiDAR points in each box, or None.
        velocities: (K, 2) in m/s along x and y of the LiDAR frame, or None if the detector predicts none.
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
    """Outputs of a detector for one frame in eval mode.

    Attributes:
        detections: after NMS.
        roi_boxes: (R, 7) proposals, best first; R is at most the requested number.
        roi_features: (R, C) feature of each proposal.
        roi_scores: (R,) in [0, 1].
        roi_labels: (R,) int, 0-based class.
        roi_logits: (R, classes) class logits.
        embedding: (D,) feature vector of the whole frame.
        pass_logits: (R, P, classes) class logits of each proposal in P dropout passes, or None.
        pass_boxes: (R, P, 7) boxes of each proposal in P dropout passes, or None.
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
    """A set of frames as an acquisition function sees it. It has no ground truth of unlabelled frames.

    Attributes:
        ids: (N,) unique frame ids.
        feats: name -> array with the frame as first axis, possibly memory-mapped: ``roi_features`` (N, R, C),
            ``roi_mask`` (N, R), ``roi_scores`` (N, R), ``roi_logits`` (N, R, classes); ``embedding`` (N, D);
            ``roi_labels`` (N, R); ``pass_logits`` (N, R, P, classes) and ``pass_boxes`` (N, R, P, 7) of P dropout
            passes; and for labelled frames ``targets`` (N, R, T), the targets of the detector head for each RoI,
            ``objects`` (N, R), whether an RoI claims a true box, and ``true_counts`` (N, classes), the number of true
            boxes. Calibration (:mod:`kecor.acquisition.calibration`) adds ``roi_probs`` (N, R) and
            ``expected_counts`` (N, classes).
        detections: one :class:`Detections` per frame, or empty.
        meta: name -> (N,) array.

    Raises:
        ValueError: an id is not unique, or an array or the detections do not have one entry per frame.
    """

    ids: np.ndarray
    feats: dict[str, np.ndarray] = field(default_factory=dict)
    detections: list[Detections] = field(default_factory=list)
    meta: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ids = np.asarray(self.ids, dtype=str)
        if len(np.unique(self.ids)) != len(self.ids):
            values, counts = np.unique(self.ids, return_counts=True)
            raise ValueError(f"ids: {str(values[counts > 1][0])!r} is not unique")
        for name, array in {**self.feats, **self.meta}.items():
            if len(array) != len(self.ids):
                raise ValueError(f"{name}: {len(array)} rows for {len(self.ids)} frames")
        if self.detections and len(self.detections) != len(self.ids):
            raise ValueError(f"detections: {len(self.detections)} for {len(self.ids)} frames")

    def __len__(self) -> int:
        return len(self.ids)

    def n_boxes(self) -> np.ndarray:
        """(N,) float64 expected number of boxes in each frame.

        The sum of the calibrated counts; without them the number of detections, and zeros without any.
        """
        if "expected_counts" in self.feats:
            return np.asarray(self.feats["expected_counts"], np.float64).sum(1)
        return np.array([len(d) for d in self.detections] or np.zeros(len(self)), dtype=np.float64)

    def expected_counts(self) -> np.ndarray:
        """(N, classes) float64 expected number of boxes of each class in each frame.

        The calibrated counts; without them the histogram of the detections' labels. Its number of classes is the width
        of the logits or, without logits, the highest label plus one.
        """
        if "expected_counts" in self.feats:
            return np.asarray(self.feats["expected_counts"], np.float64)
        labels = [np.asarray(d.labels, np.int64) for d in self.detections]
        highest = max((int(row.max()) + 1 for row in labels if len(row)), default=0)
        widths = (np.shape(d.logits)[1] for d in self.detections if d.logits is not None and len(d))
        n_classes = max(1, highest, max(widths, default=0))
        counts = [np.bincount(row, minlength=n_classes) for row in labels]
        return np.array(counts or np.zeros((len(self), n_classes)), np.float64).reshape(len(self), n_classes)


@dataclass(frozen=True)
class Budget:
    """The budget of one round. A frame costs ``cost_frame + cost_box * boxes``.

    A selection is planned with predicted boxes and paid with true boxes. If ``cost_frame`` is 0, a frame without boxes
    costs as much as one box, so that the budget always limits the number of frames.

    Raises:
        ValueError: a value is negative, or both costs are 0.
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
        """(N,) float64 cost of frames with ``n_boxes`` (N,) boxes."""
        least = 1 if self.cost_frame == 0 else 0
        return self.cost_frame + self.cost_box * np.maximum(np.asarray(n_boxes, dtype=np.float64), least)


@dataclass
class Selection:
    """The frames that an acquisition function selected.

    Attributes:
        indices: (k,) unique positions in the pool, in pick order.
        gains: (k,) gain of each frame when it was picked.
        scores: (N,) score of every pool frame, or None if the method has no scores.
        info: further results, JSON-serialisable, stored with the round.
    """

    indices: np.ndarray
    gains: np.ndarray
    scores: np.ndarray | None = None
    info: dict[str, Any] = field(default_factory=dict)
