"""Checks of the selection that an acquisition function returns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from kecor.acquisition.base import within
from kecor.errors import SelectionError
from kecor.structures import Budget, FrameSet, Selection


def validate_selection(selection: Selection, pool: FrameSet, budget: Budget, method_name: str) -> None:
    """Check the selection that ``method_name`` made from ``pool``.

    Raises:
        SelectionError: the selection has a wrong type; its indices are not integers, out of range or not unique; its
            gains or scores have a wrong shape or are not finite; it costs more than the budget; or its info cannot be
            written as JSON. The message names the method.
    """
    try:
        if not isinstance(selection, Selection):
            raise SelectionError(f"returned a {type(selection).__name__}, not a Selection")
        indices = np.asarray(selection.indices)
        _check_indices(indices, pool)
        _check_values("gains", selection.gains, len(indices))
        if selection.scores is not None:
            _check_values("scores", selection.scores, len(pool))
        cost = float(budget.costs(pool.n_boxes()[indices.astype(np.int64)]).sum())
        if not within(cost, budget.amount, budget):
            raise SelectionError(f"{len(indices)} frames cost {cost:g}, over the budget of {budget.amount:g}")
        _check_info(selection.info)
    except SelectionError as error:
        raise SelectionError(f"{method_name}: {error}") from error


def _check_indices(indices: np.ndarray, pool: FrameSet) -> None:
    if indices.ndim != 1 or (len(indices) and not np.issubdtype(indices.dtype, np.integer)):
        raise SelectionError(f"indices must be (k,) integers, got shape {indices.shape} of {indices.dtype}")
    outside = (indices < 0) | (indices >= len(pool))
    if outside.any():
        raise SelectionError(f"index {indices[outside][0]} is outside the pool of {len(pool)} frames")
    values, counts = np.unique(indices, return_counts=True)
    if (counts > 1).any():
        raise SelectionError(f"frame {str(pool.ids[values[counts > 1][0]])!r} was picked more than once")


def _check_values(name: str, values: np.ndarray, length: int) -> None:
    array = np.asarray(values)
    if array.shape != (length,) or array.dtype.kind not in "iuf":
        raise SelectionError(f"{name} must be ({length},) numbers, got shape {array.shape} of {array.dtype}")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise SelectionError(f"{name} are not finite: {array[bad[0]]} at {bad[0]}")


def _check_info(info: Any) -> None:
    if not isinstance(info, dict):
        raise SelectionError(f"info must be a dict, got a {type(info).__name__}")
    try:
        json.dumps(info, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SelectionError(f"info cannot be written as JSON: {error}") from error
