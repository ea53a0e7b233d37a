"""Gathering of neighbours in torch, forward and back."""

from __future__ import annotations

import torch
from torch import Tensor


def run_of_each_row(counts: Tensor, n_rows: int) -> Tensor:
    """(E,) the run that each of ``n_rows`` rows belongs to, of the (M,) lengths of the runs."""
    return torch.arange(len(counts), device=counts.device).repeat_interleave(counts, output_size=n_rows)


def gather(values: Tensor, index: Tensor, centres: Tensor, counts: Tensor) -> Tensor:
    """(E, C) rows ``index`` of ``values`` less the centre of their run."""
    return values.index_select(0, index) - centres.index_select(0, run_of_each_row(counts, len(index)))


def add_to_values(grad: Tensor, index: Tensor, out: Tensor) -> None:
    """Add (E, C) ``grad`` to the rows ``index`` of ``out`` (N, C)."""
    out.index_add_(0, index, grad)


def take_from_centres(grad: Tensor, counts: Tensor, out: Tensor) -> None:
    """Take the rows of each run of (E, C) ``grad`` from the row of ``out`` (M, C) that is its centre's."""
    out.index_add_(0, run_of_each_row(counts, len(grad)), grad, alpha=-1)
