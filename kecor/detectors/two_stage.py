"""Base class of PV-RCNN and SECOND-IoU: SECOND proposes regions of interest (RoIs), an RoI head refines them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kecor.config import DataConfig, check_arguments
from kecor.detectors.post_processing import best, suppress
from kecor.detectors.proposals import Proposals
from kecor.detectors.second import Second
from kecor.detectors.stages.roi_grid_head import RoiGridHead
from kecor.detectors.stages.roi_iou_head import RoiIoUHead
from kecor.detectors.targets.roi_sampling import RoiSampling, sample
from kecor.errors import ConfigError


@dataclass(frozen=True)
class ProposalLimits:
    """Which boxes of the dense head become proposals.

    Attributes:
        pre_nms: largest number of boxes that enter non-maximum suppression, highest scores first.
        post_nms: largest number of boxes kept after it.
        nms_threshold: rotated bird's-eye-view IoU above which the lower-scoring of two boxes is dropped.
    """

    pre_nms: int
    post_nms: int
    nms_threshold: float


PUBLISHED = {
    "train": {"pre_nms": 9000, "post_nms": 512, "nms_threshold": 0.8},
    "test": {"pre_nms": 1024, "post_nms": 100, "nms_threshold": 0.7},
}
"""NMS_CONFIG of OpenPCDet's pv_rcnn.yaml and second_iou.yaml for KITTI."""


class TwoStage(Second):
    """SECOND followed by an RoI head, which is trained on a balanced sample of the proposals.

    The stage ``roi_head`` reads ``rois``, the :class:`~kecor.detectors.proposals.Proposals` of each frame. It adds
    ``roi_features`` (R, roi_feature_channels), ``roi_scores`` (R,) in [0, 1] and ``roi_boxes`` (R, 7) for the RoIs of
    all frames, concatenated. Its ``loss`` also reads ``samples``, the
    :class:`~kecor.detectors.targets.roi_sampling.SampledRois` of each frame.

    Args:
        data: the classes, range and voxel size.
        proposals: sections ``train`` and ``test`` with the attributes of :class:`ProposalLimits`.
        sampling: attributes of :class:`~kecor.detectors.targets.roi_sampling.RoiSampling`.
        first_stage: the other arguments of :class:`~kecor.detectors.second.Second`.

    Raises:
        ConfigError: unknown or invalid arguments.
    """

    roi_head: RoiGridHead | RoiIoUHead

    def __init__(
        self,
        data: DataConfig,
        proposals: dict[str, dict[str, Any]] | None,
        sampling: dict[str, Any] | None,
        **first_stage: Any,
    ):
        super().__init__(data, **first_stage)
        sections = proposals or PUBLISHED
        if set(sections) != set(PUBLISHED):
            raise ConfigError(f"detector.proposals: got {', '.join(sections)}; expected {' and '.join(PUBLISHED)}")
        for name, section in sections.items():
            check_arguments(ProposalLimits, section, f"detector.proposals.{name}")
        self.limits = {name: ProposalLimits(**section) for name, section in sections.items()}
        for name, limits in self.limits.items():
            if limits.pre_nms < 1 or limits.post_nms < 1 or not 0 <= limits.nms_threshold <= 1:
                raise ConfigError(
                    f"detector.proposals.{name}: pre_nms and post_nms must be positive and nms_threshold in [0, 1]"
                )
        check_arguments(RoiSampling, sampling or {}, "detector.sampling")
        self.sampling = RoiSampling(**(sampling or {}))

    def propose(self, data: dict) -> dict:
        """Adds ``rois``, the proposals of each frame; in training a sample of them, and ``samples``."""
        limits = self.limits["train" if self.training else "test"]
        with torch.no_grad():
            rois = [
                self._proposals(data, f, limits.pre_nms, 0.0, limits.nms_threshold, limits.post_nms)
                for f in range(data["batch_size"])
            ]
            if not self.training:
                return {**data, "rois": rois}
            # seeded by the step, so that a resumed training draws the same samples
            rng = np.random.default_rng(int(self.global_step))
            samples = [
                sample(r.boxes, r.labels, boxes, labels, self.sampling, rng)
                for r, boxes, labels in zip(rois, data["gt_boxes"], data["gt_labels"])
            ]
        return {**data, "rois": [r.take(s.index) for r, s in zip(rois, samples)], "samples": samples}

    def loss(self, data: dict) -> dict[str, Tensor]:
        """The losses of the dense head and the RoI head.

        Raises:
            RuntimeError: the stages ran in eval mode, which samples no RoIs.
        """
        if "samples" not in data:
            raise RuntimeError("the loss of a two-stage detector needs training mode; call detector.train() first")
        return {**self.dense_head.loss(data), **self.roi_head.loss(data, self.sampling)}

    def final_boxes(self, data: dict, frame: int) -> Proposals:
        """The RoI head's boxes above the score threshold, after class-agnostic non-maximum suppression."""
        p = self.post_processing
        refined, _ = self._refined(data, frame)
        refined = refined.take(best(refined.scores, p.pre_nms, p.score_threshold))
        return refined.take(suppress(refined.boxes, refined.scores, p.nms_threshold, p.post_nms))

    def regions(self, data: dict, frame: int, n_rois: int) -> tuple[Proposals, Tensor]:
        """The proposals with the highest scores of the RoI head, with its scores and shared features."""
        refined, features = self._refined(data, frame)
        index = best(refined.scores, n_rois)
        rois = data["rois"][frame].take(index)
        return replace(rois, scores=refined.scores[index]), features[index]

    def embedding(self, data: dict) -> Tensor:
        """(N, C) mean of the RoI features of each frame; zeros for a frame without RoIs."""
        sums = [features.sum(0) / max(len(features), 1) for features in self._split(data, "roi_features")]
        return torch.stack(sums)

    def _refined(self, data: dict, frame: int) -> tuple[Proposals, Tensor]:
        """The RoIs of a frame with the boxes and scores of the RoI head, and their features."""
        names = ("roi_boxes", "roi_scores", "roi_features")
        boxes, scores, features = (self._split(data, name)[frame] for name in names)
        rois = data["rois"][frame]
        return replace(rois, boxes=boxes, scores=scores), features

    @staticmethod
    def _split(data: dict, name: str) -> tuple[Tensor, ...]:
        """The rows of ``data[name]`` that belong to the RoIs of each frame."""
        return data[name].split([len(rois.boxes) for rois in data["rois"]])
