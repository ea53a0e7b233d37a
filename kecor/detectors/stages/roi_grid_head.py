"""The RoI head of PV-RCNN: RoI-grid pooling, confidence and box refinement (Shi et al. 2020, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kecor.detectors.dropout_passes import ROI_HEAD, DropoutPasses
from kecor.detectors.layers.pointwise import roi_layers, run_rows
from kecor.detectors.layers.set_abstraction import SetAbstraction
from kecor.detectors.targets.box_coder import wrap_heading
from kecor.detectors.targets.roi_frame import decode_residuals
from kecor.detectors.targets.roi_losses import roi_losses
from kecor.detectors.targets.roi_sampling import RoiSampling
from kecor.errors import ConfigError
from kecor.registry import DETECTOR_STAGES


@DETECTOR_STAGES.register_module("roi_grid_head")
class RoiGridHead(nn.Module):
    """Pools keypoint features at a grid of points in each RoI, then predicts its confidence and box residuals.

    Args:
        in_channels: channels of the keypoint features.
        grid_size: grid points along each side of an RoI.
        mlps, radii, samples: arguments of the :class:`~kecor.detectors.layers.set_abstraction.SetAbstraction` that
            pools the keypoints around each grid point.
        shared: widths of the shared layers; the last is the width of the RoI features.
        widths: widths of the hidden layers of the two branches.
        dropout: dropout probability in training.

    Raises:
        ConfigError: invalid values.
    """

    def __init__(
        self,
        in_channels: int,
        grid_size: int = 6,
        mlps: Sequence[Sequence[int]] = ((64, 64), (64, 64)),
        radii: Sequence[float] = (0.8, 1.6),
        samples: Sequence[int] = (16, 16),
        shared: Sequence[int] = (256, 256),
        widths: Sequence[int] = (256, 256),
        dropout: float = 0.3,
    ):
        super().__init__()
        if grid_size < 1:
            raise ConfigError(f"detector.roi_head.grid_size: got {grid_size}; expected at least 1")
        self.grid_size = grid_size
        self.roi_grid_pool_layer = SetAbstraction(in_channels, mlps, radii, samples, "detector.roi_head")
        pooled = grid_size**3 * self.roi_grid_pool_layer.out_channels
        self.shared_fc_layer = roi_layers(pooled, shared, dropout)
        self.cls_layers = roi_layers(shared[-1], widths, dropout, out_channels=1)
        self.reg_layers = roi_layers(shared[-1], widths, dropout, out_channels=7)
        nn.init.normal_(self.reg_layers[-1].get_parameter("weight"), std=0.001)
        self.out_channels = shared[-1]

    def forward(self, data: dict) -> dict:
        """Reads ``rois``, ``keypoints`` and ``keypoint_features`` (K, in_channels). Adds, for the RoIs of all frames
        concatenated, ``roi_features`` (R, out_channels), the confidence as ``roi_logits`` (R,) and, after the sigmoid,
        ``roi_scores`` (R,), ``roi_residuals`` (R, 7) and the refined ``roi_boxes`` (R, 7)."""
        boxes = [rois.boxes for rois in data["rois"]]
        keypoints = data["keypoints"]
        features = data["keypoint_features"].split([len(points) for points in keypoints])
        centres = [grid_points(frame_boxes, self.grid_size).flatten(0, 1) for frame_boxes in boxes]
        pooled = self.roi_grid_pool_layer(keypoints, list(features), centres)
        # channels first, then grid points, as published
        pooled = pooled.view(-1, self.grid_size**3, pooled.shape[1]).transpose(1, 2).flatten(1)
        shared = run_rows(self.shared_fc_layer, pooled)
        logits = run_rows(self.cls_layers, shared)[:, 0]
        residuals, refined = self._refine(shared, torch.cat(boxes))
        return {
            **data,
            "roi_features": shared,
            "roi_logits": logits,
            "roi_scores": logits.sigmoid(),
            "roi_residuals": residuals,
            "roi_boxes": refined,
        }

    def passes(self, features: Tensor, rois: Tensor, dropout: DropoutPasses) -> Tensor:
        """(R, P, 7) refined boxes of the RoIs (R, 7) in each of P dropout passes, which drop channels of their shared
        features (R, out_channels)."""
        dropped = dropout.apply(features, ROI_HEAD)
        _, refined = self._refine(dropped.flatten(0, 1), rois.repeat_interleave(dropout.passes, dim=0))
        return refined.view(*dropped.shape[:2], 7)

    def _refine(self, shared: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
        """(R, 7) residuals predicted from the shared features, and the (R, 7) boxes they decode to."""
        residuals = run_rows(self.reg_layers, shared)
        refined = decode_residuals(residuals, rois)
        return residuals, torch.cat([refined[:, :6], wrap_heading(refined[:, 6:])], dim=1)

    def loss(self, data: dict, sampling: RoiSampling) -> dict[str, Tensor]:
        """``loss_rcnn_cls``, ``loss_rcnn_reg`` and ``loss_rcnn_corner`` of the sampled RoIs."""
        rois = torch.cat([rois.boxes for rois in data["rois"]])
        gt_boxes = torch.cat([s.gt_boxes for s in data["samples"]])
        iou = torch.cat([s.iou for s in data["samples"]])
        return roi_losses(data["roi_logits"], data["roi_residuals"], rois, gt_boxes, iou, sampling)


def grid_points(boxes: Tensor, size: int) -> Tensor:
    """(R, size**3, 3) centres of size**3 equal parts of each box, in the box's axes; x varies slowest, z fastest."""
    steps = (torch.arange(size, device=boxes.device, dtype=boxes.dtype) + 0.5) / size - 0.5
    local = torch.cartesian_prod(steps, steps, steps) * boxes[:, None, 3:6]
    cos, sin = boxes[:, 6, None].cos(), boxes[:, 6, None].sin()
    rotated = [local[..., 0] * cos - local[..., 1] * sin, local[..., 0] * sin + local[..., 1] * cos, local[..., 2]]
    return torch.stack(rotated, dim=-1) + boxes[:, None, :3]
