"""Frames on whose boxes the dropout passes agree the least."""

from __future__ import annotations

import numpy as np

from kecor import ops
from kecor.acquisition.dropout.boxes import mean_boxes
from kecor.acquisition.dropout.scores import PassMethod
from kecor.registry import ACQUISITIONS


def disagreement(logits: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(n,) one less the consensus of P passes on (n, P, classes) logits and (n, P, 7) boxes."""
    n, passes, classes = logits.shape
    votes = (logits.argmax(2)[..., None] == np.arange(classes)).sum(1)
    middle = np.repeat(mean_boxes(boxes), passes, 0)
    overlap = ops.iou_3d_paired(boxes.reshape(-1, 7), middle).reshape(n, passes).astype(np.float64)
    return 1 - overlap.mean(1) * votes.max(1) / passes


@ACQUISITIONS.register_module("consensus")
class Consensus(PassMethod):
    """Least consensus of an ensemble on box and class first, after Schmidt, Rao, Tatsch and Knoll, "Advanced active
    learning strategies for object detection", IV 2020.

    The consensus on a RoI is the mean 3D IoU of the passes' boxes with their mean box, times the share of passes that
    give it the commonest class; its value is one less that. Deviations: the members of the ensemble are dropout passes
    of one detector (:mod:`kecor.detectors.dropout_passes`), not detectors trained one by one; their boxes belong
    together because they are of one RoI, where those of separate detectors must be matched first, so that a box which
    only some members see does not show here. The formula is this project's form of the idea, not the paper's.

    The arguments are those of :class:`~kecor.acquisition.dropout.scores.PassMethod`.
    """

    name, names = "consensus", ("pass_logits", "pass_boxes")
    per_roi = staticmethod(disagreement)
