"""The RoI head of SECOND-IoU: what overlap with the truth a proposal has, read off the bird's-eye-view map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kecor import ops
from kecor.detectors.grid import Grid
from kecor.detectors.layers.pointwise import roi_layers, run_rows
from kecor.detectors.targets.roi_losses import score_loss
from kecor.detectors.targets.roi_sampling import RoiSampling, class_targets
from kecor.errors import ConfigError
from kecor.registry import DETECTOR_STAGES


@DETECTOR_STAGES.register_module("roi_iou_head")
class RoiIoUHead(nn.Module):
    """The map inside a proposal, read on a grid, says how well the proposal fits: that is its score. Its box stays.

    No gradient flows into the map (as in OpenPCDet's SECONDHead).

    Args:
        in_channels: of the map.
        grid: what the map covers.
        map_stride: voxels along x and y in one cell of the map.
        grid_size: points along each side of a RoI.
        shared: widths of the shared layers; the last is that of the RoI features.
        widths: of the hidden layers of the IoU branch.
        dropout: share of features dropped in training.

    Raises:
        ConfigError: values that make no sense.
    """

    def __init__(
        self,
        in_channels: int,
        grid: Grid,
        map_stride: int,
        grid_size: int = 7,
        shared: Sequence[int] = (256, 256),
        widths: Sequence[int] = (256, 256),
        dropout: float = 0.3,
    ):
        super().__init__()
        if grid_size < 1:
            raise ConfigError(f"detector.roi_head.grid_size: {grid_size} is not above zero")
        self.grid_size = grid_size
        self.origin = grid.point_cloud_range[:2]
        self.cell = tuple(size * map_stride for size in grid.voxel_size[:2])
        self.shared_fc_layer = roi_layers(in_channels * grid_size**2, shared, dropout)
        self.iou_layers = roi_layers(shared[-1], widths, dropout, out_channels=1)
        self.out_channels = shared[-1]

    def forward(self, data: dict) -> dict:
        """From ``rois`` and ``spatial_features_2d`` (N, in_channels, H, W): adds for the RoIs of all frames, one after
        the other, ``roi_features`` (R, out_channels), ``roi_logits`` (R,), ``roi_scores``, their sigmoid, and
        ``roi_boxes`` (R, 7), which are the RoIs."""
        boxes = [rois.boxes for rois in data["rois"]]
        maps = data["spatial_features_2d"].detach()
        pooled = [
            ops.pool_bev_grid(bev, of_frame, self.origin, self.cell, self.grid_size)
            for bev, of_frame in zip(maps, boxes)
        ]
        shared = run_rows(self.shared_fc_layer, torch.cat(pooled).flatten(1))
        logits = run_rows(self.iou_layers, shared)[:, 0]
        found = {"roi_features": shared, "roi_logits": logits, "roi_scores": logits.sigmoid()}
        return {**data, **found, "roi_boxes": torch.cat(boxes)}

    def loss(self, data: dict, sampling: RoiSampling) -> dict[str, Tensor]:
        """``loss_rcnn_iou`` of the sampled RoIs."""
        iou = torch.cat([s.iou for s in data["samples"]])
        return {"loss_rcnn_iou": score_loss(data["roi_logits"], class_targets(iou, sampling))}
