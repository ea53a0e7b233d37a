"""The few heavy kernels: arrays in, arrays out, compiled by numba, float64 inside."""

from kecor.ops.inside import count_points_in_boxes, points_in_boxes
from kecor.ops.nearest_iou import iou_bev_aligned
from kecor.ops.nms import nms_bev
from kecor.ops.rotated_iou import iou_3d, iou_bev

__all__ = ["count_points_in_boxes", "iou_3d", "iou_bev", "iou_bev_aligned", "nms_bev", "points_in_boxes"]
