"""The RoI head of SECOND-IoU: predicts the IoU of each proposal with the ground truth from the map inside it."""

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
    """Pools the map on a grid in each proposal and predicts its IoU, which becomes its score; boxes are unchanged.

    No gradient flows into the map, as in OpenPCDet's SECONDHead.

    Args:
        in_channels: channels of the map.
        grid: the voxel grid that the map covers.
        map_stride: voxels along x and y per cell of the map.
        grid_size: grid points along each side of an RoI.
        shared: widths of the shared layers; the last is the width of the RoI features.
        widths: widths of the hidden layers of the IoU branch.
        dropout: dropout probability in training.

    Raises:
        ConfigError: invalid values.
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
            raise ConfigError(f"detector.roi_head.grid_size: got {grid_size}; expected at least 1")
        self.grid_size = grid_size
        self.origin = grid.point_cloud_range[:2]
        self.cell = tuple(size * map_stride for size in grid.voxel_size[:2])
        self.shared_fc_layer = roi_layers(in_channels * grid_size**2, shared, dropout)
        self.iou_layers = roi_layers(shared[-1], widths, dropout, out_channels=1)
        self.out_channels = shared[-1]

    def forward(self, data: dict) -> dict:
        """Reads ``rois`` and ``spatial_features_2d`` (N, in_channels, H, W). Adds, for the RoIs of all frames
        concatenated, ``roi_features`` (R, out_channels), ``roi_logits`` (R,), their sigmoid ``roi_scores`` (R,) and
        ``roi_boxes`` (R, 7), the RoIs themselves."""
        boxes = [rois.boxes for rois in data["rois"]]
        maps = data["spatial_features_2d"].detach()
        pooled = [
            ops.pool_bev_grid(bev, frame_boxes, self.origin, self.cell, self.grid_size)
            for bev, frame_boxes in zip(maps, boxes)
        ]
        shared = run_rows(self.shared_fc_layer, torch.cat(pooled).flatten(1))
        logits = run_rows(self.iou_layers, shared)[:, 0]
        return {
            **data,
            "roi_features": shared,
            "roi_logits": logits,
            "roi_scores": logits.sigmoid(),
            "roi_boxes": torch.cat(boxes),
        }

    def loss(self, data: dict, sampling: RoiSampling) -> dict[str, Tensor]:
        """``loss_rcnn_iou`` of the sampled RoIs."""
        iou = torch.cat([s.iou for s in data["samples"]])
        return {"loss_rcnn_iou": score_loss(data["roi_logits"], class_targets(iou, sampling))}
