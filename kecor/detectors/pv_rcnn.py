"""PV-RCNN (Shi et al., CVPR 2020): a voxel backbone proposes boxes, keypoint features refine them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kecor.config import DataConfig
from kecor.detectors.dropout_passes import DropoutPasses
from kecor.detectors.proposals import Proposals
from kecor.detectors.stages.build import build_stage
from kecor.detectors.stages.point_head import PointHead
from kecor.detectors.stages.roi_grid_head import RoiGridHead
from kecor.detectors.stages.voxel_set_abstraction import VoxelSetAbstraction
from kecor.detectors.two_stage import TwoStage
from kecor.registry import DETECTORS


@DETECTORS.register_module("pv_rcnn")
class PVRCNN(TwoStage):
    """SECOND with voxel set abstraction at keypoints and an RoI head that pools the keypoint features.

    Parameter names and shapes equal OpenPCDet's, so its checkpoints load.

    Args:
        data: the classes, range and voxel size.
        backbone_3d, backbone_2d, dense_head, post_processing, norm_momentum: as for
            :class:`~kecor.detectors.second.Second`.
        pfe: arguments of :class:`~kecor.detectors.stages.voxel_set_abstraction.VoxelSetAbstraction`.
        point_head: arguments of :class:`~kecor.detectors.stages.point_head.PointHead`.
        proposals, sampling: as for :class:`~kecor.detectors.two_stage.TwoStage`.
        roi_head: arguments of :class:`~kecor.detectors.stages.roi_grid_head.RoiGridHead`.

    Raises:
        ConfigError: unknown or invalid arguments.
    """

    stages = (
        "backbone_3d",
        "map_to_bev",
        "pfe",
        "backbone_2d",
        "dense_head",
        "point_head",
        "propose",
        "roi_head",
    )

    pfe: VoxelSetAbstraction
    point_head: PointHead
    roi_head: RoiGridHead

    def __init__(
        self,
        data: DataConfig,
        backbone_3d: dict[str, Any] | None = None,
        pfe: dict[str, Any] | None = None,
        backbone_2d: dict[str, Any] | None = None,
        dense_head: dict[str, Any] | None = None,
        point_head: dict[str, Any] | None = None,
        proposals: dict[str, dict[str, Any]] | None = None,
        sampling: dict[str, Any] | None = None,
        roi_head: dict[str, Any] | None = None,
        post_processing: dict[str, Any] | None = None,
        norm_momentum: float = 0.01,
    ):
        super().__init__(
            data,
            proposals,
            sampling,
            backbone_3d=backbone_3d,
            backbone_2d=backbone_2d,
            dense_head=dense_head,
            post_processing=post_processing,
        )
        backbone = self.backbone_3d
        given = (
            self.grid,
            backbone.in_channels,
            backbone.out_channels * backbone.out_shape[0],
            backbone.scale_channels,
        )
        self.pfe = build_stage("detector.pfe", "voxel_set_abstraction", pfe, *given)
        self.point_head = build_stage("detector.point_head", "point_head", point_head, self.pfe.in_channels)
        self.roi_head = build_stage("detector.roi_head", "roi_grid_head", roi_head, self.pfe.out_channels)
        self.roi_feature_channels = self.roi_head.out_channels
        self.set_norm_momentum(norm_momentum)

    def passes(
        self, data: dict, frame: int, rois: Proposals, features: Tensor, dropout: DropoutPasses
    ) -> tuple[Tensor, Tensor]:
        """Logits of the dense head, from the map with channels dropped, and boxes of the RoI head, from its shared
        features with channels dropped; see :meth:`Detector.passes`."""
        logits, _ = super().passes(data, frame, rois, features, dropout)
        return logits, self.roi_head.passes(features, rois.boxes, dropout)

    def loss(self, data: dict) -> dict[str, Tensor]:
        """The losses of the dense head, the point head and the RoI head."""
        return {**super().loss(data), **self.point_head.loss(data)}
