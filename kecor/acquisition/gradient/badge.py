"""BADGE: batch active learning by diverse gradient embeddings (Ash et al., ICLR 2020)."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.arguments import check_flag
from kecor.acquisition.base import affordable, empty_selection, take_picks
from kecor.acquisition.diversity.seeding import kmeans_plus_plus
from kecor.acquisition.gradient.embeddings import check_dim, flat, gradient_embeddings, residuals
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("badge")
class Badge:
    """Select frames with large and diverse gradients by k-means++ seeding on gradient embeddings.

    Ash, Zhang, Krishnamurthy, Langford and Agarwal, "Deep batch active learning by diverse, uncertain gradient lower
    bounds", ICLR 2020, algorithm 1. As in the authors' code, the first pick is the frame with the largest gradient.

    Differences from the paper:

    - A frame's gradient is the score-weighted mean over its RoIs, and its classes are independent sigmoids
      (:mod:`~kecor.acquisition.gradient.embeddings`); in the paper an item is one image with one label.
    - Only the class outputs contribute to the gradient, not the box residuals.
    - More than ``dim`` channels are projected by random signs.
    - Copies of picked frames come last, and seeding can start from the labelled frames.

    Args:
        from_labelled: treat the labelled frames as already picked; the paper does not.
        dim: number of channels kept per class; None keeps all.

    Raises:
        ConfigError: an argument is out of range.
    """

    needs = frozenset({"roi_features"})

    def __init__(self, from_labelled: bool = False, dim: int | None = 256) -> None:
        check_flag("from_labelled", from_labelled)
        check_dim(dim)
        self.from_labelled, self.dim = from_labelled, dim

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`.

        The gain of a pick is its squared distance D^2 to the nearest earlier one; the score of a frame is the length of
        its gradient.

        Raises:
            SelectionError: features, logits or scores of RoIs are missing, have a wrong shape or are not finite.
        """
        if len(pool) == 0:
            return empty_selection()
        order = np.argsort(pool.ids)
        costs = budget.costs(pool.n_boxes())[order]
        known = labelled if self.from_labelled else None
        try:
            embeddings = gradient_embeddings(pool, known, residuals, self.dim, rng)
        except SelectionError as error:
            raise SelectionError(f"badge: {error}") from error
        vectors, start = map(flat, embeddings)
        picks = kmeans_plus_plus(vectors, affordable(costs, budget), rng, start)
        taken, gains = take_picks(picks, costs, budget)
        scores = np.empty(len(pool))
        scores[order] = np.linalg.norm(vectors, axis=1)
        return Selection(order[taken], gains, scores)
