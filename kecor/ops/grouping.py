"""Gather the neighbours of each centre and take them relative to it."""

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
def _take_from_centres(grad, counts, out):
    begin = 0
    for m in range(len(counts)):
        end = begin + counts[m]
        for e in range(begin, end):
            for c in range(out.shape[1]):
                out[m, c] -= grad[e, c]
        begin = end


def run_of_each_row(counts: Tensor, n_rows: int) -> Tensor:
    """(E,) the run that each of ``n_rows`` rows belongs to, of the (M,) lengths of the runs."""
    return torch.arange(len(counts), device=counts.device).repeat_interleave(counts, output_size=n_rows)


def gather_torch(values: Tensor, index: Tensor, centres: Tensor, counts: Tensor) -> Tensor:
    """(E, C) rows ``index`` of ``values`` less the centre of their run."""
    return values.index_select(0, index) - centres.index_select(0, run_of_each_row(counts, len(index)))


def add_to_values_torch(grad: Tensor, index: Tensor, out: Tensor) -> None:
    """Add (E, C) ``grad`` to the rows ``index`` of ``out`` (N, C)."""
    out.index_add_(0, index, grad)


def take_from_centres_torch(grad: Tensor, counts: Tensor, out: Tensor) -> None:
    """Take the rows of each run of (E, C) ``grad`` from the row of ``out`` (M, C) that is its centre's."""
    out.index_add_(0, run_of_each_row(counts, len(grad)), grad, alpha=-1)


class _Group(torch.autograd.Function):
    """Compiled on the CPU, in torch elsewhere."""

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
                _take_from_centres(grad.numpy(), counts.numpy(), to_centres.numpy())
            else:
                take_from_centres_torch(grad, counts, to_centres)
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
