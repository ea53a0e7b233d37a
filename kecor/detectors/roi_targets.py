"""What a detector head should say of a region of interest: the targets a proxy head is fitted to."""

from __future__ import annotations

import numpy as np

from kecor import ops

IOU_LOW, IOU_HIGH = 0.25, 0.75
"""Overlaps where the class target starts to rise and where it is one (Shi et al. 2020, equation 9)."""
IOU_REGRESSED = 0.55
"""Overlap from which a region is also told its box (OpenPCDet's pv_rcnn.yaml)."""


def roi_targets(
    roi_boxes: np.ndarray,
    roi_labels: np.ndarray,
    gt_boxes: np.ndarray,
    gt_labels: np.ndarray,
    n_classes: int,
) -> np.ndarray:
    """(R, n_classes + 7) float32 targets. A region is matched to the ground-truth box of its class it overlaps most.

    Args:
        roi_boxes: (R, 7).
        roi_labels: (R,) 0-based.
        gt_boxes: (M, 7).
        gt_labels: (M,) 0-based.

    Returns:
        First the class target: at the class of the matched box 3D IoU brought from [0.25, 0.75] to [0, 1], else 0. Then
        the matched box in the region's own frame: offsets along and across it by its diagonal, height offset by its
        height, log size ratios, heading difference up to half a turn, in [-pi/2, pi/2); zeros below an IoU of 0.55.
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
    near = overlap >= IOU_REGRESSED
    targets[near, n_classes:] = canonical_residuals(roi_boxes[near], gt_boxes[match[near]])
    return targets


def canonical_residuals(rois: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(R, 7) float64 residuals of boxes in the frames of the regions they are paired with."""
    rois, boxes = np.asarray(rois, np.float64), np.asarray(boxes, np.float64)
    offset = boxes[:, :3] - rois[:, :3]
    cos, sin = np.cos(rois[:, 6]), np.sin(rois[:, 6])
    diagonal = np.hypot(rois[:, 3], rois[:, 4])
    residuals = np.empty_like(boxes)
    residuals[:, 0] = (offset[:, 0] * cos + offset[:, 1] * sin) / diagonal
    residuals[:, 1] = (offset[:, 1] * cos - offset[:, 0] * sin) / diagonal
    residuals[:, 2] = offset[:, 2] / rois[:, 5]
    residuals[:, 3:6] = np.log(boxes[:, 3:6] / rois[:, 3:6])
    residuals[:, 6] = (boxes[:, 6] - rois[:, 6] + np.pi / 2) % np.pi - np.pi / 2
    return residuals
