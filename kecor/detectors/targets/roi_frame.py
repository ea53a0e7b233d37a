"""Boxes in the canonical frames of RoIs: origin at the RoI's centre, x along its heading."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kecor.detectors.targets import box_coder

_SIGNS = ((1, 1), (-1, 1), (-1, -1), (1, -1))
"""Signs of x and y of a box's corners, counter-clockwise seen from above, starting at front-left."""


def to_canonical(boxes: Tensor, rois: Tensor) -> Tensor:
    """(R, 7) boxes in the canonical frames of their RoIs (Shi et al. 2019, PointRCNN, section 3.3).

    Headings are reduced by half turns to [-pi/2, pi/2].

    Args:
        boxes: (R, 7).
        rois: (R, 7), one per box.
    """
    boxes, rois = full_precision(boxes), full_precision(rois)
    offset = _rotate(boxes[:, :3] - rois[:, :3], -rois[:, 6])
    heading = boxes[:, 6] - rois[:, 6]
    heading = heading - torch.round(heading / math.pi) * math.pi
    return torch.cat([offset, boxes[:, 3:6], heading[:, None]], dim=1)


def canonical_residuals(boxes: Tensor, rois: Tensor) -> Tensor:
    """(R, 7) residuals of boxes relative to their RoIs, in the frames of the RoIs.

    Offsets along and across the RoI are divided by its diagonal and the vertical offset by its height. Sizes are log
    ratios. The heading difference is taken up to half a turn, in [-pi/2, pi/2].
    """
    return box_coder.encode(to_canonical(boxes, rois), _at_origin(rois, heading=False))


def decode_residuals(residuals: Tensor, rois: Tensor) -> Tensor:
    """(R, 7) boxes of residuals in the frames of their RoIs: the inverse of :func:`canonical_residuals`, up to half a
    turn and the clamp at :data:`~kecor.detectors.targets.box_coder.LARGEST_LOG_RATIO`. Headings are not wrapped."""
    residuals, rois = full_precision(residuals), full_precision(rois)
    boxes = box_coder.decode(residuals, _at_origin(rois, heading=True))
    return torch.cat([_rotate(boxes[:, :3], rois[:, 6]) + rois[:, :3], boxes[:, 3:]], dim=1)


def corners(boxes: Tensor) -> Tensor:
    """(R, 8, 3) corners of (R, 7) boxes, in the order of :func:`kecor.geometry.boxes.corners`."""
    boxes = full_precision(boxes)
    signs = boxes.new_tensor([(x, y, z) for z in (-1, 1) for x, y in _SIGNS])
    return _rotate(signs * boxes[:, None, 3:6] / 2, boxes[:, 6:7]) + boxes[:, None, :3]


def full_precision(tensor: Tensor) -> Tensor:
    """Half-precision tensors (from autocast) as float32; float64 is unchanged."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _rotate(points: Tensor, angle: Tensor) -> Tensor:
    """(..., 3) points rotated about +z by (...,) angles; elementwise, because autocast would run a matrix product in
    half precision."""
    cos, sin = angle.cos(), angle.sin()
    x, y, z = points.unbind(dim=-1)
    return torch.stack([x * cos - y * sin, x * sin + y * cos, z], dim=-1)


def _at_origin(rois: Tensor, heading: bool) -> Tensor:
    """(R, 7) RoIs moved to the origin, with or without their heading."""
    rois = full_precision(rois)
    last = rois[:, 6:] if heading else torch.zeros_like(rois[:, 6:])
    return torch.cat([torch.zeros_like(rois[:, :3]), rois[:, 3:6], last], dim=1)
