"""Frames of whose boxes' classes the dropout passes are sure, each of another one."""

from __future__ import annotations

import numpy as np
from scipy.special import entr

from kecor.acquisition.dropout.scores import PassMethod
from kecor.acquisition.uncertainty.measures import class_probabilities
from kecor.registry import ACQUISITIONS


def mutual_information(logits: np.ndarray) -> np.ndarray:
    """(n,) mutual information in nats between the class and the pass, of (n, P, classes) logits."""
    p = class_probabilities(logits)
    return np.maximum(entr(p.mean(1)).sum(1) - entr(p).sum(2).mean(1), 0)  # below zero by rounding alone


@ACQUISITIONS.register_module("bald")
class Bald(PassMethod):
    """Largest mutual information between a box's class and the network's weights first (BALD: Houlsby, Huszar,
    Ghahramani and Lengyel, "Bayesian active learning for classification and preference learning", 2011), the weights'
    distribution being that of dropout passes (Gal, Islam and Ghahramani, "Deep Bayesian active learning with image
    data", ICML 2017): the entropy of the passes' mean class distribution less the mean of their entropies.

    Deviations: a frame has many boxes, so the values of its RoIs are aggregated; dropout acts on what the heads read,
    with masks shared by all frames (:mod:`kecor.detectors.dropout_passes`). The class distributions are those of
    :func:`~kecor.acquisition.uncertainty.measures.class_probabilities`.

    The arguments are those of :class:`~kecor.acquisition.dropout.scores.PassMethod`.
    """

    name, names = "bald", ("pass_logits",)
    per_roi = staticmethod(mutual_information)
