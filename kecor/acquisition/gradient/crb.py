"""CRB: concise, representative, balanced (Luo et al., ICLR 2023)."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from kecor.acquisition.base import check_argument, take_picks, take_within_budget, within
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
    """Three filters, one after the other: mixed predicted classes, prototypes of gradients, evenly spread densities.

    Luo, Chen, Wang, Yu, Huang and Baktashmotlagh, "Exploring Active 3D Object Detection from a Generalization
    Perspective", ICLR 2023. Concise labels: the frames of the highest entropy of predicted classes, ``k1`` budgets of
    them. Representative prototypes: of these, ``k2`` budgets by k-means++ seeding on gradients of hallucinated labels.
    Geometric balance: of these, greedily the frame that brings the point densities of the picked boxes of each class
    nearest to a uniform prior. A gain is the increase of
    :func:`~kecor.acquisition.gradient.density.evenness`. Deviations from the authors' code:

    - absent classes do not count in the entropy (there they count one box);
    - gradients are of the last classification layer and come from one eval-mode pass
      (:mod:`~kecor.acquisition.gradient.embeddings`); there they are of a shared layer, from dropout passes, with box
      residuals;
    - seeding tries one draw a centre and starts at the largest gradient;
    - the divergence is an integral over the prior's range, where alone it is not zero, on as many places; there the
      estimate is brought to sum 1 over a grid that goes 50 beyond the densest box;
    - ``bandwidth`` is by default fixed once for each class, by Scott's rule for the prior and the candidates' boxes;
      there it is 5 points per cubic metre, for any sensor and class;
    - a class counts 0 where no picked frame has it; there where the candidate itself has no box of it;
    - the first pick, too, is the most even frame; there it is the first prototype;
    - classes whose densities do not spread have no prior and are left out; copies of picked frames come last.

    Args:
        k1, k2: budgets of frames that the first and the second filter let through.
        alpha: the prior of a class lies between the 1 - ``alpha`` and ``alpha`` quantiles of its densities in the pool.
        bandwidth: of the density estimates, points per cubic metre; None as said above.
        from_labelled: whether prototypes must differ from labelled frames too.
        dim: channels kept of each class' gradient; None keeps all.
    """

    needs = frozenset({"detections", "roi_features"})
    terms: ClassVar = {
        "concise": ("Frames after the entropy filter", "those with the most mixed predicted classes"),
        "prototypes": ("Frames after the gradient filter", "of these, those whose gradients represent the others best"),
        "evenness": ("Evenness of point densities", "of the picked boxes, sparse to dense: 1 fully even, 0 not at all"),
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
        check_argument("k2", k2, isinstance(k2, (int, float)) and 1 <= k2 < np.inf, "a number not below one")
        check_argument("k1", k1, isinstance(k1, (int, float)) and k2 <= k1 < np.inf, "a number not below k2")
        fits = isinstance(alpha, (int, float)) and 0.5 < alpha <= 1
        check_argument("alpha", alpha, fits, "a number above 0.5 and not above 1")
        fits = bandwidth is None or (isinstance(bandwidth, (int, float)) and 0 < bandwidth < np.inf)
        check_argument("bandwidth", bandwidth, fits, "a number above zero, or null for Scott's rule")
        check_argument("from_labelled", from_labelled, isinstance(from_labelled, bool), "true or false")
        check_dim(dim)
        self.k1, self.k2, self.alpha, self.bandwidth = k1, k2, alpha, bandwidth
        self.from_labelled, self.dim = from_labelled, dim

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Scores are the entropies of predicted classes.

        ``info`` holds how many frames the first two filters let through, and how even the picks are (0 to 1).

        Raises:
            SelectionError: detections, ``n_points`` of theirs, features, logits or scores of RoIs are missing,
                misshapen or not finite.
        """
        detections = require_detections(pool, "crb")
        scores = class_entropy(detections)
        order = np.argsort(pool.ids)
        costs = budget.costs(pool.n_boxes())[order]
        candidates = np.flatnonzero(within(costs, budget.amount, budget))
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
        """The positions, in the order of the ids, of those of ``concise`` that are kept, and which are copies."""
        known = labelled if self.from_labelled else None
        embeddings = gradient_embeddings(pool, known, residuals, self.dim, rng, concise)
        vectors, marked = map(flat, embeddings)
        seeds = kmeans_plus_plus(vectors, np.ones(len(concise), bool), rng, marked)
        taken, _ = take_picks(seeds, costs[concise], replace(budget, amount=self.k2 * budget.amount))
        kept = np.sort(taken)
        return concise[kept], Copies(vectors[kept], marked)

    def _densities(self, pool: FrameSet, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, DensityPrior]:
        """Kernel sums and box counts of the pool's frames at ``rows``, and the prior of all its boxes."""
        densities, labels = box_densities(pool), [np.asarray(d.labels, np.int64) for d in pool.detections]
        chosen, kinds = [densities[i] for i in rows], [labels[i] for i in rows]
        everything = np.concatenate(densities), np.concatenate(labels)
        prior = uniform_prior(*everything, self.alpha, np.concatenate(kinds), self.bandwidth)
        return *kernel_sums(chosen, kinds, prior), prior
