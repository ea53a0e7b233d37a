"""Frames on whose boxes the dropout passes agree the least."""

from __future__ import annotations

import numpy as np

from kecor import ops
from kecor.acquisition.base import take_best
from kecor.acquisition.pass_boxes import mean_boxes
from kecor.acquisition.pass_scores import check_min_score, pass_scores
from kecor.acquisition.uncertainty import aggregation_named
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("consensus")
class Consensus:
    """Least consensus of an ensemble on box and class first, after Schmidt, Rao, Tatsch and Knoll, "Advanced active
    learning strategies for object detection", IV 2020.

    The consensus on a RoI is the mean 3D IoU of the passes' boxes with their mean box, times the share of passes that
    give it the commonest class; its value is one less that. Deviations: the members of the ensemble are dropout passes
    of one detector (:mod:`kecor.detectors.dropout_passes`), not detectors trained one by one; their boxes belong
    together because they are of one RoI, where those of separate detectors must be matched first, so that a box which
    only some members see does not show here. The formula is this project's form of the idea, not the paper's.

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
        names = ("pass_logits", "pass_boxes")
        scores = pass_scores(pool, "consensus", names, disagreement, self.aggregate, self.min_score)
        return take_best(scores, pool, budget)


def disagreement(logits: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(n,) one less the consensus of P passes on (n, P, classes) logits and (n, P, 7) boxes."""
    n, passes, classes = logits.shape
    votes = (logits.argmax(2)[..., None] == np.arange(classes)).sum(1)
    middle = np.repeat(mean_boxes(boxes), passes, 0)
    overlap = ops.iou_3d_paired(boxes.reshape(-1, 7), middle).reshape(n, passes).astype(np.float64)
    return 1 - overlap.mean(1) * votes.max(1) / passes
