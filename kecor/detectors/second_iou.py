"""SECOND-IoU: SECOND with a second stage that predicts the IoU of each proposal with the ground truth."""

from __future__ import annotations

from typing import Any

from kecor.config import DataConfig
from kecor.detectors.grid import STRIDE
from kecor.detectors.stages.build import build_stage
from kecor.detectors.stages.roi_iou_head import RoiIoUHead
from kecor.detectors.two_stage import TwoStage
from kecor.registry import DETECTORS


@DETECTORS.register_module("second_iou")
class SecondIoU(TwoStage):
    """SECOND with an RoI head whose predicted IoU replaces the scores of the boxes.

    Parameter names and shapes equal those of OpenPCDet's SECONDNetIoU, so its checkpoints load.

    Args:
        data: the classes, range and voxel size.
        backbone_3d, backbone_2d, dense_head, post_processing, norm_momentum: as for
            :class:`~kecor.detectors.second.Second`.
        proposals, sampling: as for :class:`~kecor.detectors.two_stage.TwoStage`.
        roi_head: arguments of :class:`~kecor.detectors.stages.roi_iou_head.RoiIoUHead`.

    Raises:
        ConfigError: unknown or invalid arguments.
    """

    stages = ("backbone_3d", "map_to_bev", "backbone_2d", "dense_head", "propose", "roi_head")

    roi_head: RoiIoUHead

    def __init__(
        self,
        data: DataConfig,
        backbone_3d: dict[str, Any] | None = None,
        backbone_2d: dict[str, Any] | None = None,
        dense_head: dict[str, Any] | None = None,
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
        channels, stride = self.backbone_2d.out_channels, STRIDE * self.backbone_2d.stride
        self.roi_head = build_stage("detector.roi_head", "roi_iou_head", roi_head, channels, self.grid, stride)
        self.roi_feature_channels = self.roi_head.out_channels
        self.set_norm_momentum(norm_momentum)
