"""Consensus of dropout passes on boxes and classes."""

from __future__ import annotations

import numpy as np

from kecor import ops
from kecor.acquisition.dropout.boxes import mean_boxes
from kecor.acquisition.dropout.scores import PassMethod
from kecor.registry import ACQUISITIONS


def disagreement(logits: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(n,) ``1 - mean_p IoU(box_p, mean box) * share of passes that vote for the most frequent class``.

    Args:
        logits: (n, P, classes) of P passes.
        boxes: (n, P, 7).
    """
    n, passes, classes = logits.shape
    votes = (logits.argmax(2)[..., None] == np.arange(classes)).sum(1)
    mean = np.repeat(mean_boxes(boxes), passes, 0)
    overlap = ops.iou_3d_paired(boxes.reshape(-1, 7), mean).reshape(n, passes).astype(np.float64)
    return 1 - overlap.mean(1) * votes.max(1) / passes


@ACQUISITIONS.register_module("consensus")
class Consensus(PassMethod):
    """Select the frames on whose boxes and classes an ensemble agrees least.

    After Schmidt, Rao, Tatsch and Knoll, "Advanced active learning strategies for object detection", IV 2020. The
    consensus on a RoI is the mean 3D IoU of the predicted boxes with their mean box, times the share of predictions of
    the most frequent class.

    Differences from the paper: the formula is this project's own; the members of the ensemble are dropout passes of one
    detector (:mod:`kecor.detectors.dropout_passes`), not separately trained detectors; their boxes are matched by RoI,
    so a box that only some members predict has no effect.

    The arguments are those of :class:`~kecor.acquisition.dropout.scores.PassMethod`.
    """

    name, names = "consensus", ("pass_logits", "pass_boxes")
    per_roi = staticmethod(disagreement)
