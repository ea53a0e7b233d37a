"""Ball query in torch."""

from __future__ import annotations

import torch
from torch import Tensor

from kecor.ops.in_torch.chunks import chunks

BYTES_A_PAIR = 40


def ball_query(points: Tensor, centres: Tensor, limit: Tensor, n_samples: int) -> tuple[Tensor, Tensor]:
    """The first ``n_samples`` points whose squared distance to each centre is below ``limit``.

    Args:
        points: (N, 3) float32.
        centres: (M, 3) float32.
        limit: square of the radius, float32.
        n_samples: most points of one centre.

    Returns:
        (E,) int64 rows of the points, centre by centre, and (M,) int64 their number.
    """
    index, counts = [centres.new_zeros(0, dtype=torch.int64)], torch.zeros_like(centres[:, 0], dtype=torch.int64)
    for some in chunks(len(centres), BYTES_A_PAIR * len(points)):
        x, y, z = (points.T[:, None] - centres[some].T[:, :, None]).square_()
        near = (x + y) + z < limit
        near &= near.cumsum(1, dtype=torch.int32) <= n_samples
        index.append(near.nonzero()[:, 1])
        counts[some] = near.sum(1)
    return torch.cat(index), counts
