"""Area that pairs of rotated rectangles share, in torch: the steps of ``kecor.ops.polygon`` on many pairs at once."""

from __future__ import annotations

import torch
from torch import Tensor

from kecor.ops.polygon import MAX_VERTICES


def _keep_below(x: Tensor, y: Tensor, n: Tensor, limit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Clip convex polygons to x <= limit: (K, V) vertices of which the first ``n`` (K, 1) hold, (K, 1) limits."""
    slot = torch.arange(x.shape[1], device=x.device)
    following = (slot + 1).where(slot + 1 < n, 0)
    here, there = limit - x, limit - x.gather(1, following)
    stays = (slot < n) & (here >= 0)
    crosses = (slot < n) & (((here > 0) & (there < 0)) | ((here < 0) & (there > 0)))
    crossing_y = y + here / (here - there) * (y.gather(1, following) - y)  # of use where the signs differ alone
    keep = torch.stack([stays, crosses], 2).flatten(1)
    room = min(2 * x.shape[1], MAX_VERTICES)
    place = (keep.cumsum(1) - 1).where(keep, room)  # what goes lands in a last column that is cut off
    kept_x, kept_y = x.new_zeros(2, len(x), room + 1)
    kept_x.scatter_(1, place, torch.stack([x, limit.expand_as(x)], 2).flatten(1))
    kept_y.scatter_(1, place, torch.stack([y, crossing_y], 2).flatten(1))
    return kept_x[:, :room], kept_y[:, :room], keep.sum(1, keepdim=True)


def rectangle_intersection(a: Tensor, b: Tensor) -> Tensor:
    """(K,) shared areas of the footprints of (K, 7) float64 boxes, pair by pair; 0 where a size is not positive.

    As in the compiled kernel, b is brought into a's frame and clipped to the four sides of a.
    """
    offset = b[:, :2] - a[:, :2]
    cos_a, sin_a = a[:, 6].cos(), a[:, 6].sin()
    cos, sin = (b[:, 6:] - a[:, 6:]).cos(), (b[:, 6:] - a[:, 6:]).sin()
    centre_x = offset[:, 0] * cos_a + offset[:, 1] * sin_a
    centre_y = offset[:, 1] * cos_a - offset[:, 0] * sin_a
    local_x = 0.5 * b[:, 3:4] * b.new_tensor([1, -1, -1, 1])
    local_y = 0.5 * b[:, 4:5] * b.new_tensor([1, 1, -1, -1])
    x = centre_x[:, None] + local_x * cos - local_y * sin
    y = centre_y[:, None] + local_x * sin + local_y * cos
    n = torch.full((len(a), 1), 4, device=a.device)
    for side in range(4):
        x, y, n = _keep_below(x, y, n, 0.5 * a[:, 3 + side % 2, None])
        x, y = y, -x  # a quarter turn brings the next side of a to +x
    slot = torch.arange(x.shape[1], device=x.device)
    following = (slot + 1).where(slot + 1 < n, 0)
    twice = (x * y.gather(1, following) - x.gather(1, following) * y).where(slot < n, 0.0).sum(1)
    has_area = (a[:, 3:5] > 0).all(1) & (b[:, 3:5] > 0).all(1)
    return (0.5 * twice).clamp_min(0.0).where(has_area, 0.0)
