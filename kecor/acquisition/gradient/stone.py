"""STONE: submodular coverage of gradients, then a balanced mix of classes (Mao et al., NeurIPS 2024)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from scipy.special import entr

from kecor.acquisition.base import check_argument, take_picks, take_within_budget, within
from kecor.acquisition.diversity.duplicates import Copies
from kecor.acquisition.gradient.coverage import Coverage
from kecor.acquisition.gradient.embeddings import balanced_residuals, check_dim, flat, gradient_embeddings
from kecor.acquisition.uncertainty.measures import class_entropy, require_detections
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, Detections, FrameSet, Selection

TIE = 1e-12
"""Entropies that differ by less are the same but for rounding."""


@ACQUISITIONS.register_module("stone")
class Stone:
    """Frames whose gradients cover the most, and of these the ones that balance the predicted classes.

    Mao, Maharana, Iyer and Guo, "STONE: A Submodular Optimization Framework for Active 3D Object Detection", NeurIPS
    2024. Gradient-based submodular subset selection takes ``k1`` budgets of frames from the pool. Of these, the ``k2``
    budgets of the highest entropy of predicted classes stay; and from these the frame is picked, again and again, that
    makes the class distribution of all boxes, labelled and picked, most even. A gain is by how much that distribution's
    entropy rose, and may be negative. Deviations from the paper and the authors' code:

    - coverage is :class:`~kecor.acquisition.gradient.coverage.Coverage` of the gradients, conditioned on the labelled
      frames.
      The authors' code sums, over gradient entries, the entropy of their softmax shares across the chosen frames; that
      is largest where all chosen frames have the same gradient, so that copies of a frame would raise it most;
    - its greedy search is exact and lazy; theirs is stochastic;
    - gradients are of the last classification layer and come from one eval-mode pass
      (:mod:`~kecor.acquisition.gradient.embeddings`), each predicted class of a frame with the same share; there they
      are of a shared layer, from dropout passes, with box residuals and with losses weighted by class frequency;
    - absent classes do not count in a frame's entropy (there they count one box);
    - labelled boxes count as the detector predicts them, as nothing else is known here;
    - where no frame raises the entropy the one that lowers it least is picked (there the one of the highest entropy of
      its own); of equal frames the one picked first for its gradient; copies of labelled or picked frames come last.

    Args:
        k1, k2: budgets of frames that the gradients and the frames' entropies let through.
        dim: channels kept of each class' gradient; None keeps all.
    """

    needs = frozenset({"detections", "roi_features"})
    terms: ClassVar = {
        "covering": ("Frames after the first step", "those whose gradients cover most of the pool's"),
        "mixed": ("Frames after the second step", "of these, those with the most mixed predicted classes"),
        "class_entropy": (
            "Entropy of all classes",
            "of labelled and picked boxes together, in nats",
        ),
    }

    def __init__(self, k1: float = 6, k2: float = 4, dim: int | None = 256) -> None:
        check_argument("k2", k2, isinstance(k2, (int, float)) and 1 <= k2 < np.inf, "a number not below one")
        check_argument("k1", k1, isinstance(k1, (int, float)) and k2 <= k1 < np.inf, "a number not below k2")
        check_dim(dim)
        self.k1, self.k2, self.dim = k1, k2, dim

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Scores are what each frame alone would newly cover.

        ``info`` holds how many frames the first two steps let through, and the entropy of the classes of all boxes,
        labelled and picked.

        Raises:
            SelectionError: detections, features, logits or scores of RoIs are missing, misshapen or not finite.
        """
        detections = require_detections(pool, "stone")
        if len(pool) == 0:
            return Selection(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        order = np.argsort(pool.ids)
        costs = budget.costs(pool.n_boxes())[order]
        try:
            embeddings = gradient_embeddings(pool, labelled, balanced_residuals, self.dim, rng)
        except SelectionError as error:
            raise SelectionError(f"stone: {error}") from error
        coverage = Coverage(*map(flat, embeddings))
        scores = np.empty(len(pool))
        scores[order] = coverage.gains
        picks = coverage.picks(within(costs, budget.amount, budget))
        covering, _ = take_picks(picks, costs, replace(budget, amount=self.k1 * budget.amount))
        entropy = class_entropy([detections[i] for i in order[covering]])
        mixed = covering[np.argsort(-entropy, kind="stable")]
        mixed = take_within_budget(mixed, costs, replace(budget, amount=self.k2 * budget.amount))
        counts, start = _class_counts([detections[i] for i in order[mixed]], labelled.detections)
        copies = Copies(coverage.vectors[mixed], coverage.known)
        taken, gains = take_picks(_balanced(counts, start, copies), costs[mixed], budget)
        total = start + counts[taken].sum(0)
        info = {"covering": len(covering), "mixed": len(mixed), "class_entropy": float(_entropy(total))}
        return Selection(order[mixed[taken]], gains, scores, info)


def _class_counts(candidates: Sequence[Detections], labelled: Sequence[Detections]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of each class: (M, K) in each of the candidates and (K,) in all labelled frames."""
    rows = [np.asarray(found.labels, np.int64) for found in (*candidates, *labelled)]
    n_classes = max((int(row.max()) + 1 for row in rows if len(row)), default=1)
    counts = np.array([np.bincount(row, minlength=n_classes) for row in rows]).reshape(-1, n_classes)
    return counts[: len(candidates)], counts[len(candidates) :].sum(0)


def _entropy(counts: np.ndarray) -> np.ndarray:
    """(...,) entropy in nats of class counts (..., K)."""
    return entr(counts / np.maximum(counts.sum(-1, keepdims=True), 1)).sum(-1)


def _balanced(counts: np.ndarray, start: np.ndarray, copies: Copies) -> Iterator[tuple[int, float]]:
    """Candidates (M, K) in greedy order and by how much each raised the entropy of the counts, beginning at ``start``;
    the first of equals, copies last."""
    total, left = start, np.ones(len(counts), bool)
    while left.any():
        rows = np.flatnonzero(copies.fresh(left))
        entropies = _entropy(total + counts[rows])
        best = int(rows[np.flatnonzero(entropies >= entropies.max() - TIE)[0]])
        yield best, float(_entropy(total + counts[best]) - _entropy(total))
        left[best] = False
        copies.mark(copies.vectors[best])
        total = total + counts[best]
