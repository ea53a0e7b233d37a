"""Which RoIs are objects: each true box counts for one RoI."""

from __future__ import annotations

import numpy as np

from kecor import ops

IOU = 0.25
"""BEV IoU from which an RoI claims a true box. Counting needs no tight box, and height is learned late."""


def claimed_objects(
    roi_boxes: np.ndarray,
    roi_scores: np.ndarray,
    roi_labels: np.ndarray,
    gt_boxes: np.ndarray,
    gt_labels: np.ndarray,
) -> np.ndarray:
    """Whether each RoI claims a true box.

    RoIs choose in order of their scores, the first of equal ones first: the true box of their class with the highest
    BEV IoU, at least 0.25, that no RoI has claimed.

    Args:
        roi_boxes: (R, 7).
        roi_scores: (R,).
        roi_labels: (R,) 0-based.
        gt_boxes: (M, 7).
        gt_labels: (M,) 0-based.

    Returns:
        (R,) bool.
    """
    claims = np.zeros(len(roi_boxes), bool)
    if len(roi_boxes) == 0 or len(gt_boxes) == 0:
        return claims
    iou = ops.iou_bev(np.asarray(roi_boxes, np.float32), np.asarray(gt_boxes, np.float32))
    iou = np.where(np.asarray(roi_labels)[:, None] == np.asarray(gt_labels)[None, :], iou, 0.0)
    for roi in np.argsort(-np.asarray(roi_scores, np.float64), kind="stable"):
        box = iou[roi].argmax()
        if iou[roi, box] >= IOU:
            claims[roi] = True
            iou[:, box] = 0.0
    return claims
