"""The feature of a region of interest: the bird's-eye-view map, read at points inside the rotated box."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

POINTS = 3
"""Points read along each side of a box."""


def pool_bev(features: Tensor, boxes: Tensor, origin: Sequence[float], cell: Sequence[float]) -> Tensor:
    """(R, C) mean of the map at the centres of 3x3 equal parts of each box, read bilinearly.

    Args:
        features: (C, H, W) map of one frame; y runs along H, x along W.
        boxes: (R, 7).
        origin: x, y of the range's lower corner, metres.
        cell: size of a map cell along x, y, metres. Cell (i, j) stands for the point ``origin + (j, i) * cell``, as in
            PV-RCNN's sampling of the same map (Shi et al. 2020). Points outside the map read its edge.
    """
    if len(boxes) == 0:
        return features.new_zeros(0, len(features), dtype=torch.float32)
    points = _points(boxes.float())
    height, width = features.shape[1:]
    scale = points.new_tensor([2 / (cell[0] * max(width - 1, 1)), 2 / (cell[1] * max(height - 1, 1))])
    grid = (points - points.new_tensor(origin)) * scale - 1
    read = F.grid_sample(features[None].float(), grid[None], padding_mode="border", align_corners=True)
    return read[0].mean(dim=2).T


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
    """(R, C, size, size) float32 values of the map on a grid over each box, as SECOND-IoU was published with.

    Points run from edge to edge of the box, ``linspace(-0.5, 0.5, size)`` of its length and width, and cell (i, j) of
    the map stands for the point ``origin + (j, i) * cell``: OpenPCDet's SECONDHead, whose affine grid and sampling both
    work with ``align_corners=True``. A peculiarity its checkpoints know is kept: once the grid is turned, offsets along
    x are scaled by the box's length and those along y by its width, so that the grid of a turned box is sheared. Beyond
    the map it reads zero.

    Args:
        features, boxes, origin, cell: as for :func:`pool_bev`.
        size: points along each side; a single one is the box's centre.

    Returns:
        Rows of the grid go across the box, columns along it.
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
    places = (torch.stack([x, y], dim=-1) - boxes.new_tensor(origin)) / boxes.new_tensor(cell)
    grid = (2 * places / last - 1).flatten(1, 2)  # (R, size * size, 2)
    read = F.grid_sample(features[None].float(), grid[None], padding_mode="zeros", align_corners=True)
    return read[0].transpose(0, 1).unflatten(2, (size, size))
