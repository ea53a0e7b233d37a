"""Furthest-point sampling in torch."""

from __future__ import annotations

import torch
from torch import Tensor


def furthest_point_order(points: Tensor, n: int) -> Tensor:
    """Rows of finite (N, 3) float32 points, each furthest from those before it; each at most once, at most ``n``."""
    columns = points.T.contiguous()
    nearest = torch.full_like(columns[0], torch.inf)
    chosen = torch.empty(min(n, len(points)), dtype=torch.int64, device=points.device)
    row = torch.zeros(1, dtype=torch.int64, device=points.device)
    for k in range(len(chosen)):
        chosen[k : k + 1] = row
        x, y, z = (columns - columns.index_select(1, row)).square_()
        nearest = torch.minimum(nearest, (x + y) + z)
        nearest.index_fill_(0, row, -1.0)  # not again
        row = nearest.argmax(keepdim=True)  # the first of equals
    return chosen
