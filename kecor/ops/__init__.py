"""Heavy kernels, compiled by numba on the CPU and written in plain torch for other devices.

Kernels on boxes accept arrays and return arrays, or accept tensors and return tensors; they compute in float64. Kernels
on points and point features accept and return tensors.
"""

from kecor.ops.ball_query import ball_query
from kecor.ops.furthest_point import furthest_point_sample
from kecor.ops.grouping import group
from kecor.ops.nearest_iou import iou_bev_aligned
from kecor.ops.nms import nms_bev
from kecor.ops.points_in_boxes import count_points_in_boxes, points_in_boxes
from kecor.ops.roi_pool import pool_bev, pool_bev_grid
from kecor.ops.rotated_iou import iou_3d, iou_3d_paired, iou_bev
from kecor.ops.segment_max import segment_max

__all__ = [
    "ball_query",
    "count_points_in_boxes",
    "furthest_point_sample",
    "group",
    "iou_3d",
    "iou_3d_paired",
    "iou_bev",
    "iou_bev_aligned",
    "nms_bev",
    "points_in_boxes",
    "pool_bev",
    "pool_bev_grid",
    "segment_max",
]
