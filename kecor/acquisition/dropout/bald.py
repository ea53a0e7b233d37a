"""BALD: Bayesian active learning by disagreement."""

from __future__ import annotations

import numpy as np
from scipy.special import entr

from kecor.acquisition.dropout.scores import PassMethod
from kecor.acquisition.uncertainty.measures import class_probabilities
from kecor.registry import ACQUISITIONS


def mutual_information(logits: np.ndarray) -> np.ndarray:
    """(n,) mutual information in nats between class and dropout mask, from (n, P, classes) logits of P passes.

    ``I(y; w) = H(E_w p(y | w)) - E_w H(p(y | w))`` (Gal et al., ICML 2017, section 4).
    """
    p = class_probabilities(logits)
    return np.maximum(entr(p.mean(1)).sum(1) - entr(p).sum(2).mean(1), 0)  # negative only by rounding


@ACQUISITIONS.register_module("bald")
class Bald(PassMethod):
    """Select the frames with the highest mutual information between the class of a RoI and the dropout mask.

    Houlsby, Huszar, Ghahramani and Lengyel, "Bayesian active learning for classification and preference learning",
    2011; with dropout as the posterior over weights: Gal, Islam and Ghahramani, "Deep Bayesian active learning with
    image data", ICML 2017. The mutual information is high where each pass is certain but the passes disagree.

    Differences from the paper: the values of a frame's RoIs are aggregated, and dropout is applied to the input of the
    detector's heads, with masks shared by all frames (:mod:`kecor.detectors.dropout_passes`). Class distributions are
    those of :func:`~kecor.acquisition.uncertainty.measures.class_probabilities`.

    The arguments are those of :class:`~kecor.acquisition.dropout.scores.PassMethod`.
    """

    name, names = "bald", ("pass_logits",)
    per_roi = staticmethod(mutual_information)
