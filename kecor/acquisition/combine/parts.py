"""Methods made of other methods: how their parts are built, asked for scores, and asked about a part of the pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from kecor.acquisition.base import Acquisition, build_acquisition, validate_selection, within
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, FrameSet, Selection

COPIED_BYTES = 1 << 28
"""Rows of an array that would take more than this are read on demand."""
CANDIDATES = {"candidates": ("Frames to choose from", "how many the first step left for the second")}


class Part:
    """A method inside another one.

    Args:
        section: its ``type`` and arguments, the value of the outer method's argument ``key``.

    Raises:
        ConfigError: it is no section, or wrong; the key is named from the outermost section on.
    """

    def __init__(self, section: Any, key: str) -> None:
        if not isinstance(section, Mapping):
            raise ConfigError(f"acquisition.{key}: expected a section with a type, got {section!r}")
        try:
            self.method: Acquisition = build_acquisition(dict(section))
        except ConfigError as error:
            raise ConfigError(f"acquisition.{key}{str(error).removeprefix('acquisition')}") from error
        self.name, self.needs = str(section["type"]), frozenset(self.method.needs)
        self.terms = {**CANDIDATES, **getattr(self.method, "terms", {})}

    def scores(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> np.ndarray:
        """(N,) float64 score of every pool frame. Nothing is picked for it.

        Raises:
            SelectionError: the method gives none.
        """
        nothing = replace(budget, amount=0.0)
        selection = self.method.select(pool, labelled, nothing, rng)
        validate_selection(selection, pool, nothing, self.name)
        if selection.scores is None:
            raise SelectionError(f"{self.name}: gives no scores, so nothing can be built on them")
        return np.asarray(selection.scores, np.float64)

    def select_among(
        self, positions: np.ndarray, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator
    ) -> Selection:
        """What the method selects of the frames at ``positions`` in the pool, as a selection from the whole pool."""
        positions = np.sort(positions)
        among = take_rows(pool, positions)
        selection = self.method.select(among, labelled, budget, rng)
        validate_selection(selection, among, budget, self.name)
        indices = positions[np.asarray(selection.indices, np.int64)]
        return Selection(indices, selection.gains, info={"candidates": len(positions), **selection.info})


def enough(order: np.ndarray, costs: np.ndarray, budget: Budget, count: int = 0, worth: float = 0.0) -> np.ndarray:
    """The first positions of ``order`` (N,): ``count`` of them or more, until together they cost the budget, or
    ``worth`` where that is more. Frames that cost more than the whole budget do not add to it."""
    spent = np.cumsum(np.where(within(costs, budget.amount, budget), costs, 0.0)[order])
    reached = int(np.searchsorted(spent, max(budget.amount, worth) * (1 - 1e-9))) + 1
    return order[: max(count, reached)]


def take_rows(frames: FrameSet, positions: np.ndarray) -> FrameSet:
    """The frames at ``positions``; large arrays are not copied but read as they are asked for."""

    def rows(array: np.ndarray) -> np.ndarray:
        large = array.dtype.itemsize * array[:1].size * len(positions) > COPIED_BYTES
        return cast(np.ndarray, RowView(array, positions)) if large else array[positions]

    return FrameSet(
        frames.ids[positions],
        {name: rows(array) for name, array in frames.feats.items()},
        [frames.detections[i] for i in positions] if frames.detections else [],
        {name: array[positions] for name, array in frames.meta.items()},
    )


class RowView:
    """Some rows of an array, read when they are indexed: what methods that read in chunks ask of an array."""

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
