"""``active.min_gap``: frames of one sequence that lie close together in time are not both bought."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from kecor.acquisition.combine.parts import take_rows
from kecor.datasets.base import Dataset
from kecor.structures import Budget, FrameSet, Selection

Place = tuple[str, float]
"""A frame's sequence and its time in seconds, or its number within the split where there are no time stamps."""


def places_of(dataset: Dataset, ids: Iterable[str]) -> dict[str, Place]:
    """The place of each frame; frames of data sets that name no sequence are left out."""
    places = {}
    for number, frame_id in enumerate(ids):
        sequence, seconds = dataset.sequence(frame_id), dataset.timestamp(frame_id)
        if sequence is not None:
            places[frame_id] = (sequence, float(number) if seconds is None else seconds)
    return places


class Neighbours:
    """The frames too close to those that are labelled or picked.

    Args:
        places: of all frames.
        gap: frames of one sequence less than this apart are neighbours.
        taken: labelled frames.
    """

    def __init__(self, places: dict[str, Place], gap: float, taken: Iterable[str]) -> None:
        self.places, self.gap = places, gap
        self.taken: dict[str, list[float]] = {}
        for frame_id in taken:
            self.take(frame_id)

    def take(self, frame_id: str) -> None:
        """Count ``frame_id`` as picked."""
        if frame_id in self.places:
            sequence, time = self.places[frame_id]
            self.taken.setdefault(sequence, []).append(time)

    def include(self, frame_id: str) -> bool:
        """Whether ``frame_id`` is too close to a frame that was taken."""
        sequence, time = self.places.get(frame_id, ("", 0.0))
        return any(abs(time - other) < self.gap for other in self.taken.get(sequence, ()))


def select_spaced(
    ask: Callable[[FrameSet, Budget], Selection], pool: FrameSet, budget: Budget, neighbours: Neighbours
) -> Selection:
    """What a method selects when no two picks may be neighbours.

    The method is asked for a selection, in which picks that are neighbours of earlier ones are skipped. While budget is
    left it is asked again, about the frames that are neither picked nor neighbours.

    Args:
        ask: the method: a pool and a budget in, its checked selection out.
        pool: all unlabelled frames.
        budget: for all picks together.
        neighbours: knows the labelled frames; picks are added to it.
    """
    costs, left = budget.costs(pool.n_boxes()), budget.amount
    indices: list[int] = []
    gains: list[float] = []
    first: Selection | None = None
    while True:
        picked = set(indices)
        ids = enumerate(pool.ids.tolist())
        free = np.array([i for i, name in ids if i not in picked and not neighbours.include(name)], np.int64)
        selection = ask(take_rows(pool, free), replace(budget, amount=max(left, 0.0)))
        first = first or selection
        if not len(selection.indices):
            return Selection(np.array(indices, np.int64), np.array(gains), info=first.info)
        for position, gain in zip(free[np.asarray(selection.indices, np.int64)], selection.gains):
            if not neighbours.include(str(pool.ids[position])):
                neighbours.take(str(pool.ids[position]))
                indices.append(int(position))
                gains.append(float(gain))
                left -= float(costs[position])
