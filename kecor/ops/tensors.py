"""Checks and conversions of tensor arguments."""

from __future__ import annotations

import torch
from torch import Tensor


def as_rows(tensor: Tensor, columns: int, name: str) -> Tensor:
    """The first ``columns`` columns as float64, detached; a tensor without elements becomes (0, columns).

    Raises:
        ValueError: not two-dimensional, or fewer columns; the message starts with ``name``.
    """
    if tensor.numel() == 0:
        return tensor.new_zeros(0, columns, dtype=torch.float64)
    if tensor.ndim != 2 or tensor.shape[1] < columns:
        raise ValueError(f"{name}: expected shape (N, {columns}), got {tuple(tensor.shape)}")
    return tensor.detach()[:, :columns].double()


def as_boxes7(tensor: Tensor, name: str) -> Tensor:
    """(M, 7) boxes as float64, detached.

    Raises:
        ValueError: not two-dimensional, or not 7 columns; the message starts with ``name``.
    """
    if tensor.numel() and (tensor.ndim != 2 or tensor.shape[1] != 7):
        raise ValueError(f"{name}: expected shape (M, 7), got {tuple(tensor.shape)}")
    return as_rows(tensor, 7, name)


def as_points(tensor: Tensor, name: str) -> Tensor:
    """The first three columns of a floating (N, >=3) tensor as float32, detached.

    Raises:
        ValueError: wrong shape or type; the message starts with ``name``.
    """
    if tensor.ndim != 2 or tensor.shape[1] < 3 or not tensor.is_floating_point():
        raise ValueError(f"{name}: expected floating (N, >=3), got {tensor.dtype} {tuple(tensor.shape)}")
    return tensor.detach()[:, :3].float()


def check_counts(counts: Tensor, n_rows: int, n_runs: int | None = None) -> None:
    """Check that ``counts`` are (M,) int64 group sizes that sum to ``n_rows``, and that M is ``n_runs`` if given.

    The values are checked on the CPU only, because reading them would synchronise another device.

    Raises:
        ValueError: they are not.
    """
    runs = "M" if n_runs is None else n_runs
    if counts.ndim != 1 or counts.dtype != torch.int64 or n_runs not in (None, len(counts)):
        raise ValueError(f"counts: expected int64 ({runs},), got {counts.dtype} {tuple(counts.shape)}")
    if counts.device.type == "cpu" and (int(counts.sum()) != n_rows or bool((counts < 0).any())):
        raise ValueError(f"counts: expected non-negative counts of {n_rows} rows in all, got {int(counts.sum())}")
