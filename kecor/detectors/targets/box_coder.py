"""How a box is written as a residual of an anchor (Yan et al. 2018, equation 2), and its heading as a direction bin."""

from __future__ import annotations

import math

import torch
from torch import Tensor

DIRECTION_OFFSET = 0.78539
DIRECTION_BINS = 2
PERIOD = 2 * math.pi / DIRECTION_BINS
LARGEST_LOG_RATIO = math.log(1000 / 16)
"""A box is at most so much larger or smaller than its anchor (as in Detectron): an untrained head stays finite."""


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """(..., 7) residuals of boxes: offsets by the anchor's diagonal and height, log size ratios, heading difference.

    Further columns of ``boxes``, such as velocities, are appended as they are.
    """
    diagonal = anchors[..., 3:5].norm(dim=-1, keepdim=True)
    return torch.cat(
        [
            (boxes[..., :2] - anchors[..., :2]) / diagonal,
            (boxes[..., 2:3] - anchors[..., 2:3]) / anchors[..., 5:6],
            torch.log(boxes[..., 3:6] / anchors[..., 3:6]),
            boxes[..., 6:7] - anchors[..., 6:7],
            boxes[..., 7:],
        ],
        dim=-1,
    )


def decode(residuals: Tensor, anchors: Tensor) -> Tensor:
    """(..., 7) boxes; the inverse of :func:`encode` up to LARGEST_LOG_RATIO."""
    diagonal = anchors[..., 3:5].norm(dim=-1, keepdim=True)
    return torch.cat(
        [
            residuals[..., :2] * diagonal + anchors[..., :2],
            residuals[..., 2:3] * anchors[..., 5:6] + anchors[..., 2:3],
            torch.exp(residuals[..., 3:6].clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)) * anchors[..., 3:6],
            residuals[..., 6:7] + anchors[..., 6:7],
        ],
        dim=-1,
    )


def direction_bin(heading: Tensor) -> Tensor:
    """Which half turn, counted from ``DIRECTION_OFFSET``, a heading lies in: 0 or 1 (int64)."""
    turned = _wrap(heading - DIRECTION_OFFSET, 2 * math.pi)
    return torch.clamp((turned / PERIOD).floor().long(), 0, DIRECTION_BINS - 1)


def decode_heading(heading: Tensor, direction: Tensor) -> Tensor:
    """The heading in [-pi, pi) of a residual that is known up to half a turn, put into the predicted direction bin."""
    heading = _wrap(heading - DIRECTION_OFFSET, PERIOD) + DIRECTION_OFFSET + PERIOD * direction.to(heading.dtype)
    return wrap_heading(heading)


def wrap_heading(heading: Tensor) -> Tensor:
    """The same headings in [-pi, pi)."""
    return _wrap(heading + math.pi, 2 * math.pi) - math.pi


def _wrap(angle: Tensor, period: float) -> Tensor:
    return angle - torch.floor(angle / period) * period
