"""STONE: submodular coverage of gradients, then balanced classes (Mao et al., NeurIPS 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np
from scipy.special import entr

from kecor.acquisition.arguments import check_number
from kecor.acquisition.base import affordable, empty_selection, take_picks, take_within_budget
from kecor.acquisition.diversity.duplicates import Copies
from kecor.acquisition.gradient.coverage import Coverage
from kecor.acquisition.gradient.embeddings import balanced_residuals, check_dim, flat, gradient_embeddings
from kecor.acquisition.uncertainty.measures import class_entropy, require_detections
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection

TIE = 1e-12
"""Entropies that differ by less than this count as equal."""


@ACQUISITIONS.register_module("stone")
class Stone:
    """Select frames whose gradients cover the pool's, and among them the ones that balance the predicted classes.

    Mao, Maharana, Iyer and Guo, "STONE: A submodular optimization framework for active 3D object detection", NeurIPS
    2024. Stage 1 selects ``k1`` budgets of frames by submodular coverage of gradients. Stage 2 keeps the ``k2`` budgets
    with the highest entropy of predicted classes. Stage 3 repeatedly picks the frame that makes the class distribution
    of all labelled and picked boxes most even.

    Differences from the paper and the authors' code:

    - Coverage is the function of :class:`~kecor.acquisition.gradient.coverage.Coverage`, conditioned on the labelled
      frames. The authors' code sums, over gradient entries, the entropy of their softmax shares across the chosen
      frames, which is highest if all chosen frames have the same gradient.
    - The greedy search is exact and lazy; theirs is stochastic.
    - Gradients are of the last classification layer, from one eval-mode pass
      (:mod:`~kecor.acquisition.gradient.embeddings`), with equal weight for each predicted class of a frame. Theirs are
      of a shared layer, from dropout passes, with box residuals and losses weighted by class frequency.
    - Absent classes do not count in a frame's entropy; theirs count once.
    - Boxes, of labelled frames as well, are counted by their expected number of each class.
    - If no frame raises the entropy, the one that lowers it least is picked; theirs picks the one with the highest
      entropy of its own. Ties go to the frame picked first in stage 1. Copies of labelled or picked frames come last.

    Args:
        k1, k2: budgets of frames kept by stages 1 and 2.
        dim: number of channels kept per class; None keeps all.

    Raises:
        ConfigError: an argument is out of range.
    """

    needs = frozenset({"detections", "roi_features"})
    terms: ClassVar = {
        "covering": ("Frames after stage 1", "those whose gradients best cover the gradients of the pool"),
        "mixed": ("Frames after stage 2", "of these, those with the highest entropy of predicted classes"),
        "class_entropy": (
            "Entropy of all classes",
            "of the predicted classes in labelled and picked frames together, in nats; higher is more balanced",
        ),
    }

    def __init__(self, k1: float = 6, k2: float = 4, dim: int | None = 256) -> None:
        check_number("k2", k2, lambda v: v >= 1, "a number of at least 1")
        check_number("k1", k1, lambda v: v >= k2, "a number of at least k2")
        check_dim(dim)
        self.k1, self.k2, self.dim = k1, k2, dim

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`.

        The gain of a pick is the increase of the class entropy, possibly negative; the score of a frame is its coverage
        gain given the labelled frames. ``info`` reports the number of frames after stages 1 and 2 and the entropy of
        the classes of all labelled and picked boxes.

        Raises:
            SelectionError: detections, features, logits or scores of RoIs are missing, have a wrong shape or are not
                finite.
        """
        require_detections(pool, "stone")
        if len(pool) == 0:
            return empty_selection()
        order = np.argsort(pool.ids)
        costs = budget.costs(pool.n_boxes())[order]
        try:
            embeddings = gradient_embeddings(pool, labelled, balanced_residuals, self.dim, rng)
        except SelectionError as error:
            raise SelectionError(f"stone: {error}") from error
        coverage = Coverage(*map(flat, embeddings))
        scores = np.empty(len(pool))
        scores[order] = coverage.gains
        picks = coverage.picks(affordable(costs, budget))
        covering, _ = take_picks(picks, costs, replace(budget, amount=self.k1 * budget.amount))  # stage 1
        expected, known = pool.expected_counts()[order], labelled.expected_counts()
        entropy = class_entropy(expected[covering])
        mixed = covering[np.argsort(-entropy, kind="stable")]
        mixed = take_within_budget(mixed, costs, replace(budget, amount=self.k2 * budget.amount))  # stage 2
        n_classes = max(expected.shape[1], known.shape[1])
        counts, start = _widened(expected[mixed], n_classes), _widened(known, n_classes).sum(0)
        copies = Copies(coverage.vectors[mixed], coverage.known)
        taken, gains = take_picks(_balance(counts, start, copies), costs[mixed], budget)  # stage 3
        total = start + counts[taken].sum(0)
        info = {"covering": len(covering), "mixed": len(mixed), "class_entropy": float(_entropy(total))}
        return Selection(order[mixed[taken]], gains, scores, info)


def _widened(counts: np.ndarray, n_classes: int) -> np.ndarray:
    """(N, n_classes) counts, with zeros for the classes that these frames do not tell of."""
    return np.pad(counts, ((0, 0), (0, n_classes - counts.shape[1])))


def _entropy(counts: np.ndarray) -> np.ndarray:
    """(...,) entropy in nats of class counts (..., K)."""
    return entr(counts / np.maximum(counts.sum(-1, keepdims=True), np.finfo(np.float64).tiny)).sum(-1)


def _balance(counts: np.ndarray, start: np.ndarray, copies: Copies) -> Iterator[tuple[int, float]]:
    """Candidates (M, K) in greedy order with the increase of the entropy of ``start`` plus the picked counts.

    The first of equal ones wins; copies come last.
    """
    total, left = start, np.ones(len(counts), bool)
    while left.any():
        rows = np.flatnonzero(copies.not_copies(left))
        entropies = _entropy(total + counts[rows])
        best = int(rows[np.flatnonzero(entropies >= entropies.max() - TIE)[0]])
        yield best, float(_entropy(total + counts[best]) - _entropy(total))
        left[best] = False
        copies.mark(copies.vectors[best])
        total = total + counts[best]
