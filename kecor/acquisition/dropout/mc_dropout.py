"""Frames whose boxes move the most when channels of the detector's features are dropped."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.dropout.boxes import box_variances
from kecor.acquisition.dropout.scores import PassMethod
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS


def summed_variance(boxes: np.ndarray) -> np.ndarray:
    """(n,) sum of the variances of each row's (n, P, 7) boxes.

    Raises:
        SelectionError: a size is not above zero.
    """
    if not (boxes[..., 3:6] > 0).all():
        raise SelectionError("mc_dropout: pass_boxes: a box has a size that is not above zero")
    return box_variances(boxes).sum(1)


@ACQUISITIONS.register_module("mc_dropout")
class MCDropout(PassMethod):
    """Largest variance of box regression over Monte Carlo dropout passes first (Gal and Ghahramani, "Dropout as a
    Bayesian approximation", ICML 2016). This is the baseline MC-Reg of Luo et al. (CRB, ICLR 2023; KECOR, ICCV 2023).

    A RoI's value is the sum of the variances of its box's seven numbers,
    :func:`~kecor.acquisition.dropout.boxes.box_variances`. Deviations from CRB's code:

    - dropout acts on what the heads read, with masks shared by all frames (:mod:`kecor.detectors.dropout_passes`);
      there the dropout layers of the RoI head are left on, so that it serves detectors with such a head alone;
    - the variance is that of decoded boxes, by their size, where there it is that of the residuals, and headings count
      up to half a turn; their sum is taken, not their mean;
    - the variance of the class score is not added: for classes there is ``bald``;
    - RoIs that are hardly objects do not count (``min_score``); there all do.

    The arguments are those of :class:`~kecor.acquisition.dropout.scores.PassMethod`.
    """

    name, names = "mc_dropout", ("pass_boxes",)
    per_roi = staticmethod(summed_variance)
