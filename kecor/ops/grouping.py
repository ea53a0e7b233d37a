"""Gather the neighbours of each centre and take them relative to it."""

from __future__ import annotations

import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from kecor.ops.dispatch import is_compiled_for
from kecor.ops.in_torch import grouping as in_torch
from kecor.ops.tensors import check_counts


@njit(cache=True, nogil=True)
def _gather(values, index, centres, counts, out):
    begin = 0
    for m in range(len(counts)):
        end = begin + counts[m]
        for e in range(begin, end):
            for c in range(out.shape[1]):
                out[e, c] = values[index[e], c] - centres[m, c]
        begin = end


@njit(cache=True, nogil=True)
def _add_to_values(grad, index, out):
    for e in range(len(index)):
        for c in range(out.shape[1]):
            out[index[e], c] += grad[e, c]


@njit(cache=True, nogil=True)
def _take_from_centres(grad, counts, out):
    begin = 0
    for m in range(len(counts)):
        end = begin + counts[m]
        for e in range(begin, end):
            for c in range(out.shape[1]):
                out[m, c] -= grad[e, c]
        begin = end


class _Group(torch.autograd.Function):
    """Compiled on the CPU, in torch elsewhere."""

    @staticmethod
    def forward(ctx, values, index, centres, counts):
        ctx.save_for_backward(index, counts)
        ctx.n_values = len(values)
        if not is_compiled_for(values):
            return in_torch.gather(values, index, centres, counts)
        out = values.new_empty(len(index), values.shape[1])
        _gather(values.numpy(), index.numpy(), centres.numpy(), counts.numpy(), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        index, counts = ctx.saved_tensors
        compiled, grad = is_compiled_for(grad), grad.contiguous()
        to_values = to_centres = None
        if ctx.needs_input_grad[0]:
            to_values = grad.new_zeros(ctx.n_values, grad.shape[1])
            if compiled:
                _add_to_values(grad.numpy(), index.numpy(), to_values.numpy())
            else:
                in_torch.add_to_values(grad, index, to_values)
        if ctx.needs_input_grad[2]:
            to_centres = grad.new_zeros(len(counts), grad.shape[1])
            if compiled:
                _take_from_centres(grad.numpy(), counts.numpy(), to_centres.numpy())
            else:
                in_torch.take_from_centres(grad, counts, to_centres)
        return to_values, None, to_centres, None


def group(values: Tensor, index: Tensor, centres: Tensor, counts: Tensor) -> Tensor:
    """``values[index]`` less the centre that each row belongs to, as :func:`ball_query` orders them.

    Differentiable once in ``values`` and ``centres``.

    Args:
        values: (N, C) floating.
        index: (E,) int64 rows of ``values``, run by run.
        centres: (M, C) of the type of ``values``.
        counts: (M,) int64 rows in the run of each centre; they add up to E.

    Returns:
        (E, C) of the type of ``values``.

    Raises:
        ValueError: an argument has another shape or type, ``counts`` do not add up to E, or ``index`` points outside
            ``values``. Values of ``index`` and ``counts`` are looked at on the CPU alone: elsewhere it would stall.
    """
    if values.ndim != 2 or not values.is_floating_point():
        raise ValueError(f"values: expected floating (N, C), got {values.dtype} {tuple(values.shape)}")
    if centres.ndim != 2 or centres.shape[1] != values.shape[1] or centres.dtype != values.dtype:
        expected = f"{values.dtype} (M, {values.shape[1]})"
        raise ValueError(f"centres: expected {expected}, got {centres.dtype} {tuple(centres.shape)}")
    if index.ndim != 1 or index.dtype != torch.int64:
        raise ValueError(f"index: expected int64 (E,), got {index.dtype} {tuple(index.shape)}")
    if index.device.type == "cpu" and len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(values):
        raise ValueError(f"index: expected rows 0 to {len(values) - 1}, got {int(index.min())} to {int(index.max())}")
    check_counts(counts, len(index), len(centres))
    return _Group.apply(values.contiguous(), index.contiguous(), centres.contiguous(), counts.contiguous())
