"""Maximum over runs of rows in torch, forward and back."""

from __future__ import annotations

import torch
from torch import Tensor

from kecor.ops.in_torch.grouping import run_of_each_row


def maximum(values: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """(M, C) maxima of the runs of (E, C) ``values`` and the first row that attains each; 0 and -1 for an empty run."""
    run = run_of_each_row(counts, len(values))[:, None].expand_as(values)
    best = values.new_zeros(len(counts), values.shape[1])
    best = best.scatter_reduce(0, run, values, "amax", include_self=False)
    own_best = best.gather(0, run)
    attains = (values == own_best) | values.isnan()
    row = torch.arange(len(values), device=values.device)[:, None].where(attains, len(values))
    rows = torch.full(best.shape, len(values), device=values.device).scatter_reduce(0, run, row, "amin")
    return best, rows.where(rows < len(values), -1)


def to_values(grad: Tensor, rows: Tensor, n_values: int) -> Tensor:
    """(E, C) gradient of the values, from (M, C) ``grad`` and the rows of the maxima."""
    out = grad.new_zeros(n_values + 1, grad.shape[1])  # the last row takes what empty runs send
    return out.scatter_(0, rows.where(rows >= 0, n_values), grad)[:-1]
