"""BADGE: diverse gradient embeddings (Ash et al., ICLR 2020)."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.base import check_argument, take_picks, within
from kecor.acquisition.diversity.seeding import kmeans_plus_plus
from kecor.acquisition.gradient.embeddings import check_dim, flat, gradient_embeddings, residuals
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("badge")
class Badge:
    """Frames whose hallucinated gradients are large and unlike each other, drawn by k-means++ seeding.

    Ash, Zhang, Krishnamurthy, Langford and Agarwal, "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower
    Bounds", ICLR 2020, Algorithm 1; a gain is a frame's D^2 when it was drawn. As in the authors' code, the first pick
    is the frame with the largest gradient. Deviations from the paper:

    - an item there is one image with one label; a frame's gradient is the mean over its RoIs, weighted by their scores,
      and its classes are sigmoids (:mod:`~kecor.acquisition.gradient.embeddings`);
    - the gradient is of the class outputs alone, not of the box residuals;
    - more than ``dim`` channels are projected by random signs;
    - copies of picked frames come last, and seeding can start from the labelled frames.

    Args:
        from_labelled: whether labelled frames count as picked from the start; in the paper they do not.
        dim: channels kept of each class; None keeps all.
    """

    needs = frozenset({"roi_features"})

    def __init__(self, from_labelled: bool = False, dim: int | None = 256) -> None:
        check_argument("from_labelled", from_labelled, isinstance(from_labelled, bool), "true or false")
        check_dim(dim)
        self.from_labelled, self.dim = from_labelled, dim

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Scores are the lengths of the gradients.

        Raises:
            SelectionError: features, logits or scores of RoIs are missing, misshapen or not finite.
        """
        if len(pool) == 0:
            return Selection(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        order = np.argsort(pool.ids)
        costs = budget.costs(pool.n_boxes())[order]
        known = labelled if self.from_labelled else None
        try:
            embeddings = gradient_embeddings(pool, known, residuals, self.dim, rng)
        except SelectionError as error:
            raise SelectionError(f"badge: {error}") from error
        vectors, marked = map(flat, embeddings)
        picks = kmeans_plus_plus(vectors, within(costs, budget.amount, budget), rng, marked)
        taken, gains = take_picks(picks, costs, budget)
        scores = np.empty(len(pool))
        scores[order] = np.linalg.norm(vectors, axis=1)
        return Selection(order[taken], gains, scores)
