"""Parts of methods built from other methods: building them, asking for scores, and selecting from part of a pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from kecor.acquisition.base import Acquisition, affordable
from kecor.acquisition.build import build_acquisition
from kecor.acquisition.validation import validate_selection
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, FrameSet, Selection

MAX_COPY_BYTES = 1 << 28
"""Rows of an array that would take more than this are read on demand instead of copied."""
CANDIDATES = {"candidates": ("Frames to choose from", "number of frames that the first step passed to the second")}


class Part:
    """A method inside another method.

    Args:
        section: its ``type`` and arguments.
        key: the argument of the outer method that ``section`` is the value of.

    Raises:
        ConfigError: ``section`` is not a section, or is wrong; the key is given in full, from the outermost section.
    """

    def __init__(self, section: Any, key: str) -> None:
        if not isinstance(section, Mapping):
            raise ConfigError(f"acquisition.{key}: got {section!r}; expected a section with a type")
        try:
            self.method: Acquisition = build_acquisition(dict(section))
        except ConfigError as error:
            raise ConfigError(f"acquisition.{key}{str(error).removeprefix('acquisition')}") from error
        self.name, self.needs = str(section["type"]), frozenset(self.method.needs)
        self.terms = {**CANDIDATES, **getattr(self.method, "terms", {})}

    def scores(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> np.ndarray:
        """(N,) float64 score of every pool frame; the method is run with a budget of 0.

        Raises:
            SelectionError: the method returns no scores.
        """
        no_budget = replace(budget, amount=0.0)
        selection = self.method.select(pool, labelled, no_budget, rng)
        validate_selection(selection, pool, no_budget, self.name)
        if selection.scores is None:
            raise SelectionError(f"{self.name}: returns no scores; use a method that does, such as entropy or kecor")
        return np.asarray(selection.scores, np.float64)

    def select_among(
        self, positions: np.ndarray, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator
    ) -> Selection:
        """The method's selection from the frames at ``positions``, with indices into the whole pool."""
        positions = np.sort(positions)
        among = take_rows(pool, positions)
        selection = self.method.select(among, labelled, budget, rng)
        validate_selection(selection, among, budget, self.name)
        indices = positions[np.asarray(selection.indices, np.int64)]
        return Selection(indices, selection.gains, info={"candidates": len(positions), **selection.info})


def first_worth(order: np.ndarray, costs: np.ndarray, budget: Budget, count: int = 0, cost: float = 0.0) -> np.ndarray:
    """The shortest prefix of ``order`` (N,) with at least ``count`` frames whose cost reaches the budget and ``cost``.

    Frames that cost more than the whole budget count towards ``count`` but not towards the cost.
    """
    spent = np.cumsum(np.where(affordable(costs, budget), costs, 0.0)[order])
    reached = int(np.searchsorted(spent, max(budget.amount, cost) * (1 - 1e-9))) + 1
    return order[: max(count, reached)]


def take_rows(frames: FrameSet, positions: np.ndarray) -> FrameSet:
    """The frames at ``positions``. Large arrays are not copied but read on demand."""

    def rows(array: np.ndarray) -> np.ndarray:
        if array.dtype.itemsize * array[:1].size * len(positions) > MAX_COPY_BYTES:
            return cast(np.ndarray, RowView(array, positions))  # offers what readers in chunks use of an array
        return array[positions]

    return FrameSet(
        frames.ids[positions],
        {name: rows(array) for name, array in frames.feats.items()},
        [frames.detections[i] for i in positions] if frames.detections else [],
        {name: array[positions] for name, array in frames.meta.items()},
    )


class RowView:
    """Some rows of an array, read when they are indexed. Supports the part of ndarray that readers in chunks use."""

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        self.array, self.rows = array, rows
        self.shape, self.dtype, self.ndim = (len(rows), *array.shape[1:]), array.dtype, array.ndim

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *rest = key if isinstance(key, tuple) else (key,)
        rows = self.rows[first]
        return self.array[(rows, *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.array[self.rows], dtype)
