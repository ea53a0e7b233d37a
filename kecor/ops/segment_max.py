"""Maximum over groups of consecutive rows: pools the neighbours of each centre."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from kecor.ops.dispatch import is_compiled_for
from kecor.ops.grouping import group_of_each_row
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
                better = (value > so_far) | ((value != value) & (so_far == so_far))  # NaN counts as the maximum
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
    """(M, C) maxima of the groups of (E, C) ``values`` and their first rows; 0 and -1 for an empty group."""
    group = group_of_each_row(counts, len(values))[:, None].expand_as(values)
    best = values.new_zeros(len(counts), values.shape[1])
    best = best.scatter_reduce(0, group, values, "amax", include_self=False)
    group_best = best.gather(0, group)
    attains = (values == group_best) | values.isnan()
    row = torch.arange(len(values), device=values.device)[:, None].where(attains, len(values))
    rows = torch.full(best.shape, len(values), device=values.device).scatter_reduce(0, group, row, "amin")
    return best, rows.where(rows < len(values), -1)


def to_values_torch(grad: Tensor, rows: Tensor, n_values: int) -> Tensor:
    """(E, C) gradient of the values, from (M, C) ``grad`` and the (M, C) rows of the maxima."""
    out = grad.new_zeros(n_values + 1, grad.shape[1])  # the extra last row collects the gradients of empty groups
    return out.scatter_(0, rows.where(rows >= 0, n_values), grad)[:-1]


class _SegmentMax(torch.autograd.Function):
    """Compiled on the CPU, torch on other devices. Backward sends each gradient to the row of the maximum."""

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
    """Maximum of each group of rows; zeros for an empty group, NaN for a group with NaN.

    Once differentiable; the gradient goes to the first row with the maximum.

    Args:
        values: (E, C) floating, group by group; E below 2 ** 31.
        counts: (M,) int64 group sizes, which sum to E.

    Returns:
        (M, C) of the dtype of ``values``.

    Raises:
        ValueError: an argument has a wrong shape or type, or ``counts`` do not sum to E (checked on the CPU only,
            because reading them would synchronise another device).
    """
    if values.ndim != 2 or not values.is_floating_point():
        raise ValueError(f"values: expected floating (E, C), got {values.dtype} {tuple(values.shape)}")
    check_counts(counts, len(values))
    return _SegmentMax.apply(values.contiguous(), counts.contiguous())
