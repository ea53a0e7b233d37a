"""Maximum over runs of rows: how the neighbours of a centre become one feature."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from kecor.ops.dispatch import is_compiled_for
from kecor.ops.grouping import run_of_each_row
from kecor.ops.tensors import check_counts


@njit(cache=True, nogil=True)
def _maximum(values, counts, best, rows):
    begin = 0
    for m in range(len(counts)):
        end = begin + counts[m]
        for c in range(best.shape[1]):
            best[m, c] = values[begin, c] if end > begin else 0.0
            rows[m, c] = begin if end > begin else -1
        for e in range(begin + 1, end):
            for c in range(best.shape[1]):
                value, so_far = values[e, c], best[m, c]
                better = (value > so_far) | ((value != value) & (so_far == so_far))  # NaN is above all
                best[m, c] = value if better else so_far
                rows[m, c] = np.int32(e) if better else rows[m, c]
        begin = end


@njit(cache=True, nogil=True)
def _to_values(grad, rows, out):
    for m in range(len(rows)):
        for c in range(rows.shape[1]):
            if rows[m, c] >= 0:
                out[rows[m, c], c] = grad[m, c]


def maximum_torch(values: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """(M, C) maxima of the runs of (E, C) ``values`` and the first row that attains each; 0 and -1 for an empty run."""
    run = run_of_each_row(counts, len(values))[:, None].expand_as(values)
    best = values.new_zeros(len(counts), values.shape[1])
    best = best.scatter_reduce(0, run, values, "amax", include_self=False)
    own_best = best.gather(0, run)
    attains = (values == own_best) | values.isnan()
    row = torch.arange(len(values), device=values.device)[:, None].where(attains, len(values))
    rows = torch.full(best.shape, len(values), device=values.device).scatter_reduce(0, run, row, "amin")
    return best, rows.where(rows < len(values), -1)


def to_values_torch(grad: Tensor, rows: Tensor, n_values: int) -> Tensor:
    """(E, C) gradient of the values, from (M, C) ``grad`` and the rows of the maxima."""
    out = grad.new_zeros(n_values + 1, grad.shape[1])  # the last row takes what empty runs send
    return out.scatter_(0, rows.where(rows >= 0, n_values), grad)[:-1]


class _SegmentMax(torch.autograd.Function):
    """Compiled on the CPU, in torch elsewhere; the rows of the maxima lead the gradient back."""

    @staticmethod
    def forward(ctx, values, counts):
        ctx.n_values = len(values)
        if is_compiled_for(values):
            best = values.new_empty(len(counts), values.shape[1])
            rows = torch.empty(best.shape, dtype=torch.int32)
            _maximum(values.numpy(), counts.numpy(), best.numpy(), rows.numpy())
        else:
            best, rows = maximum_torch(values, counts)
        ctx.save_for_backward(rows)
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        (rows,) = ctx.saved_tensors
        if not is_compiled_for(grad):
            return to_values_torch(grad, rows, ctx.n_values), None
        out = grad.new_zeros(ctx.n_values, grad.shape[1])
        _to_values(grad.contiguous().numpy(), rows.numpy(), out.numpy())
        return out, None


def segment_max(values: Tensor, counts: Tensor) -> Tensor:
    """Maximum of each run of rows; zeros for an empty run, NaN for one that holds NaN.

    Differentiable once: the gradient goes to the first row of the run that attains the maximum.

    Args:
        values: (E, C) floating, run by run; E below 2 ** 31.
        counts: (M,) int64 rows in each run; they add up to E.

    Returns:
        (M, C) of the type of ``values``.

    Raises:
        ValueError: an argument has another shape or type, or ``counts`` do not add up to E (looked at on the CPU
            alone: elsewhere it would stall).
    """
    if values.ndim != 2 or not values.is_floating_point():
        raise ValueError(f"values: expected floating (E, C), got {values.dtype} {tuple(values.shape)}")
    check_counts(counts, len(values))
    return _SegmentMax.apply(values.contiguous(), counts.contiguous())
