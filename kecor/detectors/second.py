"""SECOND: sparsely embedded convolutional detection (Yan, Mao and Li, Sensors 2018)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kecor import ops
from kecor.config import DataConfig, check_arguments
from kecor.detectors.detector import Detector
from kecor.detectors.dropout_passes import DropoutPasses
from kecor.detectors.grid import STRIDE
from kecor.detectors.post_processing import PostProcessing, best, suppress
from kecor.detectors.proposals import Proposals
from kecor.detectors.stages.anchor_head import AnchorHead
from kecor.detectors.stages.backbone_2d import BEVBackbone
from kecor.detectors.stages.backbone_3d import VoxelBackbone
from kecor.detectors.stages.build import build_stage
from kecor.detectors.stages.height_compression import HeightCompression
from kecor.registry import DETECTORS

ROI_NMS_THRESHOLD = 0.7
"""IoU above which the lower-scoring of two RoIs is dropped (Shi et al. 2020, section 3.3)."""


@DETECTORS.register_module("second")
class Second(Detector):
    """SECOND: sparse 3D backbone over voxels, bird's-eye-view map, 2D backbone, anchor head.

    Parameter names and shapes equal OpenPCDet's, so its checkpoints load.

    Args:
        data: the classes, range and voxel size.
        backbone_3d: arguments of :class:`~kecor.detectors.stages.backbone_3d.VoxelBackbone`.
        backbone_2d: arguments of :class:`~kecor.detectors.stages.backbone_2d.BEVBackbone`.
        dense_head: arguments of :class:`~kecor.detectors.stages.anchor_head.AnchorHead`.
        post_processing: arguments of :class:`~kecor.detectors.post_processing.PostProcessing`.
        norm_momentum: momentum of batch normalisation. With the published 0.01 the running statistics need several
            hundred batches, more than a short training has.

    Raises:
        ConfigError: unknown or invalid arguments.
    """

    stages: tuple[str, ...] = ("backbone_3d", "map_to_bev", "backbone_2d", "dense_head")
    backbone_3d: VoxelBackbone
    backbone_2d: BEVBackbone
    dense_head: AnchorHead

    def __init__(
        self,
        data: DataConfig,
        backbone_3d: dict[str, Any] | None = None,
        backbone_2d: dict[str, Any] | None = None,
        dense_head: dict[str, Any] | None = None,
        post_processing: dict[str, Any] | None = None,
        norm_momentum: float = 0.01,
    ):
        super().__init__(data)
        self.backbone_3d = build_stage("detector.backbone_3d", "voxel_backbone", backbone_3d, self.grid)
        self.map_to_bev = HeightCompression()
        depth, height, width = self.backbone_3d.out_shape
        channels = self.backbone_3d.out_channels * depth
        self.backbone_2d = build_stage("detector.backbone_2d", "bev_backbone", backbone_2d, channels, (height, width))
        channels, shape = self.backbone_2d.out_channels, self.backbone_2d.out_shape
        self.dense_head = build_stage(
            "detector.dense_head", "anchor_head", dense_head, channels, shape, self.grid, self.classes
        )
        check_arguments(PostProcessing, post_processing or {}, "detector.post_processing")
        self.post_processing = PostProcessing(**(post_processing or {}))
        self.roi_feature_channels = channels
        self.set_norm_momentum(norm_momentum)

    def loss(self, data: dict) -> dict[str, Tensor]:
        """``loss_cls``, ``loss_loc`` and ``loss_dir``."""
        return self.dense_head.loss(data)

    def final_boxes(self, data: dict, frame: int) -> Proposals:
        """The boxes above the score threshold, after class-agnostic non-maximum suppression."""
        p = self.post_processing
        return self._proposals(data, frame, p.pre_nms, p.score_threshold, p.nms_threshold, p.post_nms)

    def regions(self, data: dict, frame: int, n_rois: int) -> tuple[Proposals, Tensor]:
        """The highest-scoring boxes, without a score threshold, and the map pooled inside each."""
        rois = self._proposals(data, frame, self.post_processing.pre_nms, 0.0, ROI_NMS_THRESHOLD, n_rois)
        cell = [size * STRIDE * self.backbone_2d.stride for size in self.grid.voxel_size[:2]]
        origin = self.grid.point_cloud_range[:2]
        return rois, ops.pool_bev(data["spatial_features_2d"][frame], rois.boxes, origin, cell)

    def embedding(self, data: dict) -> Tensor:
        """(N, C) mean of the map over its cells."""
        return data["spatial_features_2d"].float().mean(dim=(2, 3))

    def passes(
        self, data: dict, frame: int, rois: Proposals, features: Tensor, dropout: DropoutPasses
    ) -> tuple[Tensor, Tensor]:
        """Logits and boxes of the RoIs' anchors, from the map with channels dropped; see :meth:`Detector.passes`."""
        return self.dense_head.passes(data["spatial_features_2d"][frame], rois.anchors, dropout)

    def _proposals(
        self, data: dict, frame: int, pre_nms: int, min_score: float, nms_threshold: float, limit: int
    ) -> Proposals:
        """At most ``limit`` boxes after suppression of the ``pre_nms`` best boxes with a score of at least
        ``min_score``."""
        logits = data["cls_preds"][frame]
        scores, labels = torch.sigmoid(logits).max(dim=1)
        index = best(scores, pre_nms, min_score)
        boxes = self.dense_head.decode(data, frame, index)
        kept = suppress(boxes, scores[index], nms_threshold, limit)
        index = index[kept]
        velocities = self.dense_head.velocities(data, frame, index)
        return Proposals(boxes[kept], scores[index], labels[index], logits[index], index, velocities)
