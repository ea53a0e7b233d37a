"""Variance of box regression under Monte Carlo dropout."""

from __future__ import annotations

import numpy as np

from kecor.acquisition.dropout.boxes import box_variances
from kecor.acquisition.dropout.scores import PassMethod
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS


def summed_variance(boxes: np.ndarray) -> np.ndarray:
    """(n,) sum of the seven :func:`~kecor.acquisition.dropout.boxes.box_variances` of (n, P, 7) boxes.

    Raises:
        SelectionError: a box has a size that is not above 0.
    """
    if not (boxes[..., 3:6] > 0).all():
        raise SelectionError("mc_dropout: pass_boxes: a box has a size that is not above 0")
    return box_variances(boxes).sum(1)


@ACQUISITIONS.register_module("mc_dropout")
class MCDropout(PassMethod):
    """Select the frames whose predicted boxes vary most between dropout passes.

    Gal and Ghahramani, "Dropout as a Bayesian approximation", ICML 2016. This is the baseline MC-Reg of CRB (Luo et
    al., ICLR 2023) and KECOR (Luo et al., ICCV 2023).

    Differences from CRB's code:

    - Dropout is applied to the input of the detector's heads, with masks shared by all frames
      (:mod:`kecor.detectors.dropout_passes`). CRB keeps the dropout layers of the RoI head active, which one-stage
      detectors do not have.
    - The variance is that of decoded boxes, relative to their size and with headings modulo pi, not of residuals. The
      variances are summed, not averaged.
    - The variance of the class score is not added; ``bald`` covers classes.
    - RoIs that score less than ``min_score`` are left out.

    The arguments are those of :class:`~kecor.acquisition.dropout.scores.PassMethod`.
    """

    name, names = "mc_dropout", ("pass_boxes",)
    per_roi = staticmethod(summed_variance)
