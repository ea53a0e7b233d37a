"""Maximum over runs of rows: how the neighbours of a centre become one feature."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from kecor.ops.dispatch import is_compiled_for
from kecor.ops.in_torch import segment_max as in_torch
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
            best, rows = in_torch.maximum(values, counts)
        ctx.save_for_backward(rows)
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        (rows,) = ctx.saved_tensors
        if not is_compiled_for(grad):
            return in_torch.to_values(grad, rows, ctx.n_values), None
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
