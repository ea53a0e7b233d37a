"""Box residuals relative to anchors (Yan et al. 2018, equation 2) and direction bins of headings."""

from __future__ import annotations

import math

import torch
from torch import Tensor

DIRECTION_OFFSET = 0.78539
DIRECTION_BINS = 2
PERIOD = 2 * math.pi / DIRECTION_BINS
LARGEST_LOG_RATIO = math.log(1000 / 16)
"""Limit of the decoded log size ratio, as in Detectron, so that an untrained head gives finite boxes."""


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """(..., 7) residuals of boxes relative to anchors.

    Offsets in x and y are divided by the anchor's diagonal, the offset in z by its height. Sizes are log ratios, the
    heading is a difference. Further columns of ``boxes``, such as velocities, are copied unchanged.
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
    """(..., 7) boxes; the inverse of :func:`encode`, with log size ratios clamped to ``LARGEST_LOG_RATIO``."""
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
    """The direction bin of a heading (int64): 0 for the half turn from ``DIRECTION_OFFSET``, 1 for the other."""
    angle = _wrap(heading - DIRECTION_OFFSET, 2 * math.pi)
    return torch.clamp((angle / PERIOD).floor().long(), 0, DIRECTION_BINS - 1)


def decode_heading(heading: Tensor, direction: Tensor) -> Tensor:
    """The heading in [-pi, pi) that equals ``heading`` up to half a turn and lies in the bin ``direction``."""
    heading = _wrap(heading - DIRECTION_OFFSET, PERIOD) + DIRECTION_OFFSET + PERIOD * direction.to(heading.dtype)
    return wrap_heading(heading)


def wrap_heading(heading: Tensor) -> Tensor:
    """Headings wrapped to [-pi, pi)."""
    return _wrap(heading + math.pi, 2 * math.pi) - math.pi


def _wrap(angle: Tensor, period: float) -> Tensor:
    return angle - torch.floor(angle / period) * period
