"""Regression targets of the proxy head: the detector head's targets for each RoI."""

from __future__ import annotations

import numpy as np
import torch

from kecor import ops
from kecor.detectors.targets.roi_frame import canonical_residuals

IOU_LOW, IOU_HIGH = 0.25, 0.75
"""3D IoU up to which the class target is 0, and from which it is 1 (Shi et al. 2020, equation 9)."""
BOX_IOU = 0.55
"""3D IoU from which an RoI has box targets (OpenPCDet's pv_rcnn.yaml)."""


def proxy_targets(
    roi_boxes: np.ndarray,
    roi_labels: np.ndarray,
    gt_boxes: np.ndarray,
    gt_labels: np.ndarray,
    n_classes: int,
) -> np.ndarray:
    """Targets of each RoI, matched to the ground-truth box of its class with the highest 3D IoU.

    Args:
        roi_boxes: (R, 7).
        roi_labels: (R,) 0-based.
        gt_boxes: (M, 7).
        gt_labels: (M,) 0-based.

    Returns:
        (R, n_classes + 7) float32. The first columns are the class target: the 3D IoU rescaled from [0.25, 0.75] to
        [0, 1] at the class of the matched box, 0 elsewhere. The last 7 are the residuals of the matched box in the
        RoI's frame (:func:`~kecor.detectors.targets.roi_frame.canonical_residuals`), 0 below an IoU of 0.55.
    """
    targets = np.zeros((len(roi_boxes), n_classes + 7), np.float32)
    if len(roi_boxes) == 0 or len(gt_boxes) == 0:
        return targets
    roi_labels, gt_labels = np.asarray(roi_labels, np.int64), np.asarray(gt_labels, np.int64)
    iou = ops.iou_3d(roi_boxes, gt_boxes) * (roi_labels[:, None] == gt_labels[None, :])
    match = iou.argmax(axis=1)
    overlap = iou[np.arange(len(iou)), match]
    soft = np.clip((overlap - IOU_LOW) / (IOU_HIGH - IOU_LOW), 0, 1)
    targets[np.arange(len(iou)), gt_labels[match]] = soft
    positive = overlap >= BOX_IOU
    matched, rois = (
        torch.from_numpy(np.asarray(a, np.float64)) for a in (gt_boxes[match[positive]], roi_boxes[positive])
    )
    targets[positive, n_classes:] = canonical_residuals(matched, rois).numpy()
    return targets
