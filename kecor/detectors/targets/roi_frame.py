"""Boxes in the frames of the regions of interest they are paired with: centre at the origin, x along the region."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kecor.detectors.targets import box_coder

_SIGNS = ((1, 1), (-1, 1), (-1, -1), (1, -1))
"""Sides of a box's corners, counter-clockwise seen from above, from front-left."""


def to_canonical(boxes: Tensor, rois: Tensor) -> Tensor:
    """(R, 7) boxes in the frames of their regions (Shi et al. 2019, PointRCNN, section 3.3).

    A heading that points the other way is turned by half a turn, so that it lies in [-pi/2, pi/2].

    Args:
        boxes: (R, 7).
        rois: (R, 7), one a box.
    """
    boxes, rois = full_precision(boxes), full_precision(rois)
    offset = _turn(boxes[:, :3] - rois[:, :3], -rois[:, 6])
    heading = boxes[:, 6] - rois[:, 6]
    heading = heading - torch.round(heading / math.pi) * math.pi
    return torch.cat([offset, boxes[:, 3:6], heading[:, None]], dim=1)


def canonical_residuals(boxes: Tensor, rois: Tensor) -> Tensor:
    """(R, 7) residuals of boxes against their regions, in the regions' own frames.

    Offsets along and across the RoI in units of its diagonal, height offset in units of its height, log size ratios,
    and the heading difference up to half a turn, in [-pi/2, pi/2].
    """
    return box_coder.encode(to_canonical(boxes, rois), _at_origin(rois, heading=False))


def decode_residuals(residuals: Tensor, rois: Tensor) -> Tensor:
    """(R, 7) boxes of residuals in the frames of their regions; the inverse of :func:`canonical_residuals`, up to
    half a turn and :data:`~kecor.detectors.targets.box_coder.LARGEST_LOG_RATIO`. Headings are not wrapped."""
    residuals, rois = full_precision(residuals), full_precision(rois)
    boxes = box_coder.decode(residuals, _at_origin(rois, heading=True))
    return torch.cat([_turn(boxes[:, :3], rois[:, 6]) + rois[:, :3], boxes[:, 3:]], dim=1)


def corners(boxes: Tensor) -> Tensor:
    """(R, 7) boxes -> (R, 8, 3) corners in the order of :func:`kecor.geometry.boxes.corners`."""
    boxes = full_precision(boxes)
    signs = boxes.new_tensor([(x, y, z) for z in (-1, 1) for x, y in _SIGNS])
    return _turn(signs * boxes[:, None, 3:6] / 2, boxes[:, 6:7]) + boxes[:, None, :3]


def full_precision(tensor: Tensor) -> Tensor:
    """The values as float32, whatever autocast made of them; float64 stays as it is."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _turn(points: Tensor, angle: Tensor) -> Tensor:
    """(..., 3) points turned about +z by (...,) angles. Products are element by element: autocast would halve the
    precision of a matrix product."""
    cos, sin = angle.cos(), angle.sin()
    x, y, z = points.unbind(dim=-1)
    return torch.stack([x * cos - y * sin, x * sin + y * cos, z], dim=-1)


def _at_origin(rois: Tensor, heading: bool) -> Tensor:
    """(R, 7) regions moved to the origin, with their heading or with none."""
    rois = full_precision(rois)
    last = rois[:, 6:] if heading else torch.zeros_like(rois[:, 6:])
    return torch.cat([torch.zeros_like(rois[:, :3]), rois[:, 3:6], last], dim=1)
