"""Frames of whose boxes' classes the dropout passes are sure, each of another one."""

from __future__ import annotations

import numpy as np
from scipy.special import entr

from kecor.acquisition.base import take_best
from kecor.acquisition.pass_scores import check_min_score, pass_scores
from kecor.acquisition.uncertainty import aggregation_named, class_probabilities
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("bald")
class Bald:
    """Largest mutual information between a box's class and the network's weights first (BALD: Houlsby, Huszar,
    Ghahramani and Lengyel, "Bayesian active learning for classification and preference learning", 2011), the weights'
    distribution being that of dropout passes (Gal, Islam and Ghahramani, "Deep Bayesian active learning with image
    data", ICML 2017): the entropy of the passes' mean class distribution less the mean of their entropies.

    Deviations: a frame has many boxes, so the values of its RoIs are aggregated; dropout acts on what the heads read,
    with masks shared by all frames (:mod:`kecor.detectors.dropout_passes`). The class distributions are those of
    :func:`~kecor.acquisition.uncertainty.class_probabilities`.

    Args:
        min_score: RoIs that score less do not count; a frame without any other scores 0.
        aggregation: how the values of a frame's RoIs become one score: ``mean``, ``sum`` or ``max``.
    """

    needs = frozenset({"dropout_passes"})

    def __init__(self, min_score: float = 0.1, aggregation: str = "mean") -> None:
        check_min_score(min_score)
        self.min_score, self.aggregate = min_score, aggregation_named(aggregation)

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Frames of equal score stand in the order of their ids."""
        names = ("pass_logits",)
        scores = pass_scores(pool, "bald", names, mutual_information, self.aggregate, self.min_score)
        return take_best(scores, pool, budget)


def mutual_information(logits: np.ndarray) -> np.ndarray:
    """(n,) mutual information in nats between the class and the pass, of (n, P, classes) logits."""
    p = class_probabilities(logits)
    return np.maximum(entr(p.mean(1)).sum(1) - entr(p).sum(2).mean(1), 0)  # below zero by rounding alone
