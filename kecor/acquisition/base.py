"""The interface of an acquisition function, and the budget rule that all of them share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from kecor.acquisition.arguments import check_argument
from kecor.progress import progress_bar
from kecor.structures import Budget, FrameSet, Selection

__all__ = [
    "Acquisition",
    "affordable",
    "check_argument",
    "empty_selection",
    "take_best",
    "take_picks",
    "take_within_budget",
    "within",
]


class Acquisition(Protocol):
    """A pure function of arrays that selects the frames to label next.

    Attributes:
        needs: what the pool pass must compute: any of ``detections``, ``roi_scores`` (what expected boxes are
            calibrated from), ``roi_features``, ``embedding`` and ``dropout_passes``.
        terms: explains the entries of ``Selection.info`` in reports: key (at any depth) -> name and meaning. Optional;
            a key without an entry is shown as it is.
    """

    needs: frozenset[str]
    terms: Mapping[str, tuple[str, str]] = {}

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """Select frames of ``pool`` in order of preference, within ``budget``. All randomness comes from ``rng``."""
        ...


def empty_selection() -> Selection:
    """The selection from an empty pool."""
    return Selection(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def take_best(scores: np.ndarray, pool: FrameSet, budget: Budget) -> Selection:
    """Select the frames with the highest ``scores`` (N,) that the budget allows; ties are broken by frame id."""
    order = np.lexsort((pool.ids, -scores))
    indices = take_within_budget(order, budget.costs(pool.n_boxes()), budget)
    return Selection(indices, gains=scores[indices], scores=scores)


def take_within_budget(order: Iterable[int], costs: np.ndarray, budget: Budget) -> np.ndarray:
    """The prefix of ``order`` that the budget allows: the budget rule of all methods.

    Frames that cost more than the whole budget are skipped. The walk stops at the first frame that does not fit into
    what is left. ``order`` may be lazy; it is not advanced once nothing more can fit.

    Args:
        order: positions, best first.
        costs: (N,) cost of each frame.
    """
    candidates = affordable(costs, budget)
    cheapest = np.min(costs[candidates], initial=np.inf)
    left, taken = float(budget.amount), []
    if not within(cheapest, left, budget):
        return np.zeros(0, np.int64)
    for index in order:
        if not candidates[index]:
            continue
        if not within(costs[index], left, budget):
            break
        taken.append(int(index))
        left -= costs[index]
        if not within(cheapest, left, budget):
            break
    return np.array(taken, np.int64)


def take_picks(picks: Iterable[tuple[int, float]], costs: np.ndarray, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """The prefix of a lazy greedy search that the budget allows: positions and gains, (k,) each.

    Args:
        picks: position and gain of each pick, best first, of frames that cost no more than the whole budget.
        costs: (N,) cost of each frame.
    """
    gains: list[float] = []

    def order() -> Iterator[int]:
        with progress_bar("select", None, "pick", delay=3.0) as bar:
            for index, gain in picks:
                gains.append(float(gain))
                yield index
                bar.update()

    taken = take_within_budget(order(), costs, budget)
    return taken, np.array(gains[: len(taken)])


def affordable(costs: np.ndarray, budget: Budget) -> np.ndarray:
    """(N,) bool: frames that cost no more than the whole budget."""
    return np.asarray(within(costs, budget.amount, budget))


def within(cost: Any, amount: float, budget: Budget) -> Any:
    """Whether ``cost`` (a number or an array) is at most ``amount``, up to the rounding error of sums."""
    return cost <= amount + 1e-9 * max(1.0, budget.amount)
