"""What PV-RCNN and SECOND-IoU share: SECOND proposes regions of interest, an RoI head looks at each again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kecor.config import DataConfig, check_arguments
from kecor.detectors.detector import Proposals
from kecor.detectors.post_processing import best, suppress
from kecor.detectors.second import Second
from kecor.detectors.stages.roi_grid_head import RoiGridHead
from kecor.detectors.stages.roi_iou_head import RoiIoUHead
from kecor.detectors.targets.roi_sampling import RoiSampling, sample
from kecor.errors import ConfigError


@dataclass(frozen=True)
class ProposalLimits:
    """Which boxes of the dense head become proposals.

    Attributes:
        pre_nms: boxes that enter the suppression, best first.
        post_nms: boxes that leave it.
        nms_threshold: overlap (rotated, bird's-eye view) above which the lower of two is dropped.
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
    """SECOND, then an RoI head. In training the head sees a balanced sample of the proposals.

    A stage ``roi_head`` takes ``rois``, the :class:`~kecor.detectors.detector.Proposals` of each frame, and adds for
    the RoIs of all frames, one after the other, ``roi_features`` (R, roi_feature_channels), ``roi_scores`` (R,) in
    [0, 1] and ``roi_boxes`` (R, 7), what it makes of the proposals. Its ``loss`` reads ``samples``, the
    :class:`~kecor.detectors.targets.roi_sampling.SampledRois` of each frame.

    Args:
        data: gives the classes, the range and the voxel size.
        proposals: ``train`` and ``test``, each with the values of :class:`ProposalLimits`.
        sampling: values of :class:`~kecor.detectors.targets.roi_sampling.RoiSampling`.
        first_stage: the further arguments of :class:`~kecor.detectors.second.Second`.

    Raises:
        ConfigError: unknown or unusable arguments.
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
            raise ConfigError(f"detector.proposals: expected {' and '.join(PUBLISHED)}, got {', '.join(sections)}")
        for name, section in sections.items():
            check_arguments(ProposalLimits, section, f"detector.proposals.{name}")
        self.limits = {name: ProposalLimits(**section) for name, section in sections.items()}
        for name, limits in self.limits.items():
            if limits.pre_nms < 1 or limits.post_nms < 1 or not 0 <= limits.nms_threshold <= 1:
                raise ConfigError(
                    f"detector.proposals.{name}: pre_nms and post_nms must be above zero, nms_threshold in [0, 1]"
                )
        check_arguments(RoiSampling, sampling or {}, "detector.sampling")
        self.sampling = RoiSampling(**(sampling or {}))

    def propose(self, data: dict) -> dict:
        """Adds ``rois``, the proposals of each frame; in training a sample of them, with ``samples``."""
        limits = self.limits["train" if self.training else "test"]
        with torch.no_grad():
            rois = [
                self._proposals(data, f, limits.pre_nms, 0.0, limits.nms_threshold, limits.post_nms)
                for f in range(data["batch_size"])
            ]
            if not self.training:
                return {**data, "rois": rois}
            # a function of the step alone: a resumed training draws the same
            rng = np.random.default_rng(int(self.global_step))
            samples = [
                sample(r.boxes, r.labels, boxes, labels, self.sampling, rng)
                for r, boxes, labels in zip(rois, data["gt_boxes"], data["gt_labels"])
            ]
        return {**data, "rois": [r.take(s.index) for r, s in zip(rois, samples)], "samples": samples}

    def loss(self, data: dict) -> dict[str, Tensor]:
        """The losses of the dense head and those of the RoI head.

        Raises:
            RuntimeError: the batch went through the stages in eval mode, where no RoIs are sampled.
        """
        if "samples" not in data:
            raise RuntimeError("a two-stage detector needs training mode for its loss; call detector.train() first")
        return {**self.dense_head.loss(data), **self.roi_head.loss(data, self.sampling)}

    def final_boxes(self, data: dict, frame: int) -> Proposals:
        """The RoI head's boxes above the score threshold, after class-agnostic suppression."""
        p = self.post_processing
        found, _ = self._refined(data, frame)
        found = found.take(best(found.scores, p.pre_nms, p.score_threshold))
        return found.take(suppress(found.boxes, found.scores, p.nms_threshold, p.post_nms))

    def regions(self, data: dict, frame: int, n_rois: int) -> tuple[Proposals, Tensor]:
        """The proposals the RoI head gives the best scores, with its shared features."""
        found, features = self._refined(data, frame)
        index = best(found.scores, n_rois)
        rois = data["rois"][frame].take(index)
        return replace(rois, scores=found.scores[index]), features[index]

    def embedding(self, data: dict) -> Tensor:
        """(N, C) mean of the features of each frame's RoIs; zeros where there is none."""
        sums = [features.sum(0) / max(len(features), 1) for features in self._split(data, "roi_features")]
        return torch.stack(sums)

    def _refined(self, data: dict, frame: int) -> tuple[Proposals, Tensor]:
        """The RoIs of a frame as the RoI head sees them, and their features."""
        names = ("roi_boxes", "roi_scores", "roi_features")
        boxes, scores, features = (self._split(data, name)[frame] for name in names)
        rois = data["rois"][frame]
        return replace(rois, boxes=boxes, scores=scores), features

    @staticmethod
    def _split(data: dict, name: str) -> tuple[Tensor, ...]:
        return data[name].split([len(rois.boxes) for rois in data["rois"]])
