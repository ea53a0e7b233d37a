"""Gathers the neighbours of each centre and subtracts the centre."""

from __future__ import annotations

import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from kecor.ops.dispatch import is_compiled_for
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
def _subtract_from_centres(grad, counts, out):
    begin = 0
    for m in range(len(counts)):
        end = begin + counts[m]
        for e in range(begin, end):
            for c in range(out.shape[1]):
                out[m, c] -= grad[e, c]
        begin = end


def group_of_each_row(counts: Tensor, n_rows: int) -> Tensor:
    """(n_rows,) index of the group that each row belongs to, from the (M,) sizes of the groups."""
    return torch.arange(len(counts), device=counts.device).repeat_interleave(counts, output_size=n_rows)


def gather_torch(values: Tensor, index: Tensor, centres: Tensor, counts: Tensor) -> Tensor:
    """(E, C) rows ``index`` of ``values`` minus the centre of their group."""
    return values.index_select(0, index) - centres.index_select(0, group_of_each_row(counts, len(index)))


def add_to_values_torch(grad: Tensor, index: Tensor, out: Tensor) -> None:
    """Add (E, C) ``grad`` to the rows ``index`` of ``out`` (N, C), in place."""
    out.index_add_(0, index, grad)


def subtract_from_centres_torch(grad: Tensor, counts: Tensor, out: Tensor) -> None:
    """Subtract the sum of each group of (E, C) ``grad`` from the row of its centre in ``out`` (M, C), in place."""
    out.index_add_(0, group_of_each_row(counts, len(grad)), grad, alpha=-1)


class _Group(torch.autograd.Function):
    """Compiled on the CPU, torch on other devices."""

    @staticmethod
    def forward(ctx, values, index, centres, counts):
        ctx.save_for_backward(index, counts)
        ctx.n_values = len(values)
        if not is_compiled_for(values):
            return gather_torch(values, index, centres, counts)
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
                add_to_values_torch(grad, index, to_values)
        if ctx.needs_input_grad[2]:
            to_centres = grad.new_zeros(len(counts), grad.shape[1])
            if compiled:
                _subtract_from_centres(grad.numpy(), counts.numpy(), to_centres.numpy())
            else:
                subtract_from_centres_torch(grad, counts, to_centres)
        return to_values, None, to_centres, None


def group(values: Tensor, index: Tensor, centres: Tensor, counts: Tensor) -> Tensor:
    """``values[index]`` minus the centre of each row's group, for the result of :func:`ball_query`.

    Once differentiable in ``values`` and ``centres``.

    Args:
        values: (N, C) floating.
        index: (E,) int64 rows of ``values``, group by group.
        centres: (M, C) of the dtype of ``values``, one per group.
        counts: (M,) int64 group sizes, which sum to E.

    Returns:
        (E, C) of the dtype of ``values``.

    Raises:
        ValueError: an argument has a wrong shape or type, ``counts`` do not sum to E, or ``index`` is out of range. The
            values of ``index`` and ``counts`` are checked on the CPU only, because reading them would synchronise
            another device.
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
