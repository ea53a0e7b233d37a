"""RoI pooling: samples the bird's-eye-view map at points inside rotated boxes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

POINTS = 3
"""Sampled points along each side of a box."""


def pool_bev(features: Tensor, boxes: Tensor, origin: Sequence[float], cell: Sequence[float]) -> Tensor:
    """Mean of the map over each box, sampled bilinearly at the centres of 3x3 equal parts.

    Args:
        features: (C, H, W) map of one frame; y runs along H, x along W.
        boxes: (R, 7).
        origin: x, y of the lower corner of the range in metres.
        cell: size of a map cell along x, y in metres. Cell (i, j) is at the point ``origin + (j, i) * cell``, as in
            PV-RCNN's sampling of the same map (Shi et al. 2020). Points outside the map use the value at its edge.

    Returns:
        (R, C) float32.
    """
    if len(boxes) == 0:
        return features.new_zeros(0, len(features), dtype=torch.float32)
    points = _points(boxes.float())
    height, width = features.shape[1:]
    scale = points.new_tensor([2 / (cell[0] * max(width - 1, 1)), 2 / (cell[1] * max(height - 1, 1))])
    grid = (points - points.new_tensor(origin)) * scale - 1
    sampled = F.grid_sample(features[None].float(), grid[None], padding_mode="border", align_corners=True)
    return sampled[0].mean(dim=2).T


def _points(boxes: Tensor) -> Tensor:
    """(R, 9, 2) x, y of the centres of 3x3 equal parts of each box."""
    steps = (torch.arange(POINTS, device=boxes.device, dtype=boxes.dtype) + 0.5) / POINTS - 0.5
    share = torch.cartesian_prod(steps, steps)
    local = share * boxes[:, None, 3:5]
    cos, sin = boxes[:, 6, None].cos(), boxes[:, 6, None].sin()
    x = local[..., 0] * cos - local[..., 1] * sin
    y = local[..., 0] * sin + local[..., 1] * cos
    return torch.stack([x, y], dim=-1) + boxes[:, None, :2]


def pool_bev_grid(features: Tensor, boxes: Tensor, origin: Sequence[float], cell: Sequence[float], size: int) -> Tensor:
    """Samples the map bilinearly on a ``size`` x ``size`` grid over each box, as in the published SECOND-IoU.

    The grid spans the box from edge to edge, ``linspace(-0.5, 0.5, size)`` of its length and width, as in OpenPCDet's
    SECONDHead, where affine grid and sampling both use ``align_corners=True``. One peculiarity is kept because the
    published checkpoints were trained with it: after the rotation, offsets along x are scaled by the box's length and
    offsets along y by its width, so the grid of a rotated box is sheared. Outside the map the value is zero.

    Args:
        features, boxes, origin, cell: as for :func:`pool_bev`.
        size: points along each side; 1 samples the centre of the box.

    Returns:
        (R, C, size, size) float32; rows of the grid run across the box, columns along it.
    """
    if len(boxes) == 0:
        return features.new_zeros(0, len(features), size, size, dtype=torch.float32)
    boxes = boxes.float()
    steps = torch.linspace(-0.5, 0.5, size, device=boxes.device) if size > 1 else boxes.new_zeros(1)
    along, across = steps[None, None, :], steps[None, :, None]
    cos, sin = boxes[:, 6, None, None].cos(), boxes[:, 6, None, None].sin()
    x = boxes[:, 0, None, None] + boxes[:, 3, None, None] * (along * cos - across * sin)
    y = boxes[:, 1, None, None] + boxes[:, 4, None, None] * (along * sin + across * cos)
    last = boxes.new_tensor([features.shape[2] - 1, features.shape[1] - 1]).clamp(min=1)
    positions = (torch.stack([x, y], dim=-1) - boxes.new_tensor(origin)) / boxes.new_tensor(cell)
    grid = (2 * positions / last - 1).flatten(1, 2)  # (R, size * size, 2)
    sampled = F.grid_sample(features[None].float(), grid[None], padding_mode="zeros", align_corners=True)
    return sampled[0].transpose(0, 1).unflatten(2, (size, size))
