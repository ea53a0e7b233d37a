"""BAIT: batch active learning by Fisher information (Ash et al., NeurIPS 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from kecor.acquisition.arguments import check_number
from kecor.acquisition.base import affordable, empty_selection, take_picks, within
from kecor.acquisition.gradient.embeddings import check_dim, fisher_roots, gradient_embeddings
from kecor.acquisition.gradient.fisher import FisherDesign, FisherPick
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("bait")
class Bait:
    """Select the frames that minimise the expected error of the last layer over all frames.

    Ash, Goel, Krishnamurthy and Kakade, "Gone fishing: neural active learning with Fisher embeddings", NeurIPS 2021,
    algorithm 1. The objective is ``tr(M^-1 F)`` with the Fisher information M of the labelled and picked frames and F
    of all frames. A forward greedy search selects ``oversample`` budgets of frames, and a backward greedy search
    removes the least useful ones.

    Differences from the paper:

    - A frame has one vector per class: the score-weighted mean over its RoIs of the square root of their Fisher
      information. Its information is at most the mean information of its RoIs.
    - Classes are independent sigmoids, so M is block-diagonal with one block per class, and updates have rank one; with
      a softmax they have rank K.
    - Features are projected to ``dim`` channels by random signs.
    - Information is summed over frames and the ridge is given in average frames, independent of the scale of the
      features. The authors' code averages over frames and has the ridge in the units of the features.
    - The forward search spends ``oversample`` budgets; the backward search ends when the rest costs at most the budget.
    - Copies of labelled or picked frames come last.

    Args:
        dim: number of channels kept per class; None keeps all.
        ridge: weight of the prior, in average frames.
        oversample: number of budgets that the forward search spends.

    Raises:
        ConfigError: an argument is out of range.
    """

    needs = frozenset({"roi_features"})
    terms: ClassVar = {
        "objective_before": (
            "Expected error before the picks",
            "of the last layer, from the Fisher information of the labelled frames; no unit",
        ),
        "objective_after": ("Expected error after the picks", "the same with the picks labelled too; lower is better"),
        "picked_forward": ("Frames picked by the forward search", "the backward search then removed the excess"),
    }

    def __init__(self, dim: int | None = 64, ridge: float = 1.0, oversample: float = 2.0) -> None:
        check_dim(dim)
        check_number("ridge", ridge, lambda v: v > 0, "a number above 0")
        check_number("oversample", oversample, lambda v: v >= 1, "a number of at least 1")
        self.dim, self.ridge, self.oversample = dim, ridge, oversample

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`.

        The gain of a pick is how much it lowered the objective in the forward search; the score of a frame is the gain
        it would have as the first pick. ``info`` reports the objective before and after the selection, and the number
        of frames picked by the forward search.

        Raises:
            SelectionError: features, logits or scores of RoIs are missing, have a wrong shape or are not finite.
        """
        if len(pool) == 0:
            return empty_selection()
        order = np.argsort(pool.ids)
        costs = budget.costs(pool.n_boxes())[order]
        try:
            items, known = gradient_embeddings(pool, labelled, fisher_roots, self.dim, rng)
        except SelectionError as error:
            raise SelectionError(f"bait: {error}") from error
        design = FisherDesign(items, known, self.ridge)
        before, scores = design.objective(), np.empty(len(pool))
        scores[order] = design.gains()
        picked = _forward(design, costs, budget, self.oversample)
        kept = _backward(design, picked, costs, budget)
        info = {"objective_before": before, "objective_after": design.objective(), "picked_forward": len(picked)}
        indices = order[np.array([pick.index for pick in kept], np.int64)]
        return Selection(indices, np.array([pick.gain for pick in kept]), scores, info)


def _forward(design: FisherDesign, costs: np.ndarray, budget: Budget, oversample: float) -> list[FisherPick]:
    """The picks that ``oversample`` budgets allow."""
    picked: list[FisherPick] = []

    def picks() -> Iterator[tuple[int, float]]:
        for pick in design.forward(affordable(costs, budget)):
            picked.append(pick)
            yield pick.index, pick.gain

    taken, _ = take_picks(picks(), costs, replace(budget, amount=oversample * budget.amount))
    return picked[: len(taken)]


def _backward(design: FisherDesign, picked: list[FisherPick], costs: np.ndarray, budget: Budget) -> list[FisherPick]:
    """The picks, in their order, that remain when their cost is within the budget; ``design`` then contains them."""
    design.restart(picked)
    kept = list(picked)
    for worst in design.backward(picked):
        if within(costs[[pick.index for pick in kept]].sum(), budget.amount, budget):
            break
        kept.remove(worst)
    return kept
