"""BAIT: batches by Fisher information (Ash et al., NeurIPS 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from kecor.acquisition.base import check_argument, take_picks, within
from kecor.acquisition.gradient.embeddings import check_dim, fisher_roots, gradient_embeddings
from kecor.acquisition.gradient.fisher import FisherDesign, FisherPick
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("bait")
class Bait:
    """Frames that, with the labelled ones, leave the least expected error of the last layer over all frames.

    Ash, Goel, Krishnamurthy and Kakade, "Gone Fishing: Neural Active Learning with Fisher Embeddings", NeurIPS 2021,
    Algorithm 1: minimise ``tr(M^-1 F)``, M being the Fisher information of what is labelled and F that of all frames;
    forward greedy search picks ``oversample`` times too much, backward greedy search removes the least useful. A gain
    is by how much a pick lowered the objective in the forward search. Deviations from the paper:

    - the Fisher information of a frame is, class by class, that of the mean over its RoIs of the information's root,
      weighted by score: one vector a class and frame, and never more than the mean information of its RoIs;
    - classes are independent sigmoids, so that the information of one class says nothing of another: M is made of a
      block a class and an update is of rank one, where softmax needs one of rank K;
    - the blocks are those of features projected to ``dim`` channels by random signs;
    - the information is a sum over frames and the ridge counts in average frames, whatever the features' units; the
      authors' code averages over labelled frames and picks, and leaves the ridge in the features' units;
    - too much is ``oversample`` times the budget, and removal ends when what is left costs no more than the budget;
    - copies of labelled or picked frames come last.

    Args:
        dim: channels kept of each class; None keeps all.
        ridge: weight of the prior, in average frames.
        oversample: budgets that the forward search spends.
    """

    needs = frozenset({"roi_features"})
    terms: ClassVar = {
        "objective_before": ("Expected error before the picks", "from Fisher information, in the method's own units"),
        "objective_after": ("Expected error after the picks", "the same once the picks are labelled"),
        "picked_forward": (
            "Frames picked by the forward search",
            "before the backward search removed some",
        ),
    }

    def __init__(self, dim: int | None = 64, ridge: float = 1.0, oversample: float = 2.0) -> None:
        check_dim(dim)
        check_argument("ridge", ridge, isinstance(ridge, (int, float)) and 0 < ridge < np.inf, "a number above zero")
        fits = isinstance(oversample, (int, float)) and 1 <= oversample < np.inf
        check_argument("oversample", oversample, fits, "a number not below one")
        self.dim, self.ridge, self.oversample = dim, ridge, oversample

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Scores are the gains before the first pick.

        ``info`` holds the objective before and after, and how many frames the forward search picked.

        Raises:
            SelectionError: features, logits or scores of RoIs are missing, misshapen or not finite.
        """
        if len(pool) == 0:
            return Selection(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
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
    """The picks that ``oversample`` budgets buy."""
    walked: list[FisherPick] = []

    def picks() -> Iterator[tuple[int, float]]:
        for pick in design.forward(within(costs, budget.amount, budget)):
            walked.append(pick)
            yield pick.index, pick.gain

    taken, _ = take_picks(picks(), costs, replace(budget, amount=oversample * budget.amount))
    return walked[: len(taken)]


def _backward(design: FisherDesign, picked: list[FisherPick], costs: np.ndarray, budget: Budget) -> list[FisherPick]:
    """What is left of the picks, in their order, when their cost is within the budget; the design is made of it."""
    design.restart(picked)
    kept = list(picked)
    for worst in design.backward(picked):
        if within(costs[[pick.index for pick in kept]].sum(), budget.amount, budget):
            break
        kept.remove(worst)
    return kept
