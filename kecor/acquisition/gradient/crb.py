"""CRB: concise, representative and balanced selection (Luo et al., ICLR 2023)."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from kecor.acquisition.arguments import check_flag, check_number
from kecor.acquisition.base import affordable, take_picks, take_within_budget
from kecor.acquisition.diversity.duplicates import Copies
from kecor.acquisition.diversity.seeding import kmeans_plus_plus
from kecor.acquisition.gradient.density import DensityPrior, balance, box_densities, kernel_sums, uniform_prior
from kecor.acquisition.gradient.embeddings import check_dim, flat, gradient_embeddings, residuals
from kecor.acquisition.uncertainty.measures import class_entropy, require_detections
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("crb")
class Crb:
    """Select frames in three stages: mixed predicted classes, representative gradients, balanced point densities.

    Luo, Chen, Wang, Yu, Huang and Baktashmotlagh, "Exploring active 3D object detection from a generalization
    perspective", ICLR 2023.

    1. Concise label sampling keeps ``k1`` budgets of frames with the highest entropy of predicted classes.
    2. Representative prototype selection keeps ``k2`` budgets of these by k-means++ seeding on the gradients of
       hallucinated labels.
    3. Greedy point density balancing repeatedly picks the frame that brings the point densities of the picked boxes,
       per class, closest to a uniform prior.

    Differences from the authors' code:

    - Absent classes do not count in the entropy; theirs count once.
    - Gradients are of the last classification layer, from one eval-mode pass
      (:mod:`~kecor.acquisition.gradient.embeddings`). Theirs are of a shared layer, from dropout passes, with box
      residuals.
    - Seeding draws one candidate per centre and starts at the largest gradient.
    - The divergence is integrated over the range of the prior, where the prior is not 0. Theirs normalises the estimate
      to sum 1 over a grid that extends 50 beyond the highest density.
    - The default ``bandwidth`` follows Scott's rule for the prior and the candidates' boxes of each class. Theirs is 5
      points per cubic metre for any sensor and class.
    - A class contributes 0 if no picked frame contains it; theirs if the candidate itself does not contain it.
    - The first pick is the most even frame; theirs is the first prototype.
    - Classes whose densities do not vary are left out. Copies of picked frames come last.

    Args:
        k1, k2: budgets of frames kept by stages 1 and 2.
        alpha: the prior of a class spans the ``1 - alpha`` and ``alpha`` quantiles of its densities in the pool.
        bandwidth: of the density estimates, in points per cubic metre; None for Scott's rule.
        from_labelled: treat the labelled frames as already picked in stage 2.
        dim: number of channels kept per class; None keeps all.

    Raises:
        ConfigError: an argument is out of range.
    """

    needs = frozenset({"detections", "roi_features"})
    terms: ClassVar = {
        "concise": ("Frames after stage 1", "those with the highest entropy of predicted classes"),
        "prototypes": ("Frames after stage 2", "of these, those whose gradients represent the others best"),
        "evenness": (
            "Evenness of point densities",
            "of the picked boxes, averaged over classes: 1 is a uniform distribution from sparse to dense boxes",
        ),
    }

    def __init__(
        self,
        k1: float = 5,
        k2: float = 3,
        alpha: float = 0.95,
        bandwidth: float | None = None,
        from_labelled: bool = False,
        dim: int | None = 256,
    ) -> None:
        check_number("k2", k2, lambda v: v >= 1, "a number of at least 1")
        check_number("k1", k1, lambda v: v >= k2, "a number of at least k2")
        check_number("alpha", alpha, lambda v: 0.5 < v <= 1, "a number above 0.5 and at most 1")
        wanted = "a number above 0, or null for Scott's rule"
        check_number("bandwidth", bandwidth, lambda v: v > 0, wanted, optional=True)
        check_flag("from_labelled", from_labelled)
        check_dim(dim)
        self.k1, self.k2, self.alpha, self.bandwidth = k1, k2, alpha, bandwidth
        self.from_labelled, self.dim = from_labelled, dim

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`.

        The gain of a pick is the increase of :func:`~kecor.acquisition.gradient.density.evenness`; the score of a frame
        is the entropy of its predicted classes. ``info`` reports the number of frames after stages 1 and 2 and the
        evenness of the picks.

        Raises:
            SelectionError: detections or their ``n_points``, or features, logits or scores of RoIs are missing, have a
                wrong shape or are not finite.
        """
        require_detections(pool, "crb")
        scores = class_entropy(pool.expected_counts())
        order = np.argsort(pool.ids)
        costs = budget.costs(pool.n_boxes())[order]
        candidates = np.flatnonzero(affordable(costs, budget))
        candidates = candidates[np.argsort(-scores[order][candidates], kind="stable")]
        concise = np.sort(take_within_budget(candidates, costs, replace(budget, amount=self.k1 * budget.amount)))
        if not len(concise):
            return Selection(np.zeros(0, np.int64), np.zeros(0), scores)
        try:
            prototypes, copies = self._prototypes(pool, labelled, concise, costs, budget, rng)
            sums, counts, prior = self._densities(pool, order[prototypes])
        except SelectionError as error:
            raise SelectionError(f"crb: {error}") from error
        taken, gains = take_picks(balance(sums, counts, prior, copies), costs[prototypes], budget)
        info = {"concise": len(concise), "prototypes": len(prototypes), "evenness": float(gains.sum())}
        return Selection(order[prototypes[taken]], gains, scores, info)

    def _prototypes(
        self,
        pool: FrameSet,
        labelled: FrameSet,
        concise: np.ndarray,
        costs: np.ndarray,
        budget: Budget,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, Copies]:
        """Stage 2: the positions, in the order of the ids, that are kept of ``concise``, and their copies."""
        known = labelled if self.from_labelled else None
        embeddings = gradient_embeddings(pool, known, residuals, self.dim, rng, concise)
        vectors, start = map(flat, embeddings)
        seeds = kmeans_plus_plus(vectors, np.ones(len(concise), bool), rng, start)
        taken, _ = take_picks(seeds, costs[concise], replace(budget, amount=self.k2 * budget.amount))
        kept = np.sort(taken)
        return concise[kept], Copies(vectors[kept], start)

    def _densities(self, pool: FrameSet, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, DensityPrior]:
        """Kernel sums and box counts of the pool frames at ``rows``, and the prior from all boxes of the pool."""
        densities, labels = box_densities(pool), [np.asarray(d.labels, np.int64) for d in pool.detections]
        row_densities, row_labels = [densities[i] for i in rows], [labels[i] for i in rows]
        prior = uniform_prior(
            np.concatenate(densities), np.concatenate(labels), self.alpha, np.concatenate(row_labels), self.bandwidth
        )
        return *kernel_sums(row_densities, row_labels, prior), prior
