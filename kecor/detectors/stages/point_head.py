"""Predicted keypoint weighting (Shi et al. 2020, section 3.2): classifies which keypoints lie in objects."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kecor import ops
from kecor.detectors.layers.pointwise import point_layers, run_rows
from kecor.detectors.targets.anchor_losses import sigmoid_focal
from kecor.registry import DETECTOR_STAGES

MARGIN = 0.2
"""Metres added to each dimension of a box; keypoints in the margin are ignored by the loss (pv_rcnn.yaml)."""


@DETECTOR_STAGES.register_module("point_head")
class PointHead(nn.Module):
    """Foreground score of each keypoint, from its features before they are fused.

    Args:
        in_channels: channels of the features.
        widths: widths of the hidden layers.
    """

    def __init__(self, in_channels: int, widths: Sequence[int] = (256, 256)):
        super().__init__()
        self.cls_layers = point_layers(in_channels, widths, out_channels=1)

    def forward(self, data: dict) -> dict:
        """Reads ``unfused_features`` (K, in_channels). Adds ``keypoint_logits`` (K,) and multiplies
        ``keypoint_features`` by their sigmoid."""
        logits = run_rows(self.cls_layers, data["unfused_features"])[:, 0]
        weighted = data["keypoint_features"] * logits.sigmoid()[:, None]
        return {**data, "keypoint_logits": logits, "keypoint_features": weighted}

    def loss(self, data: dict) -> dict[str, Tensor]:
        """``loss_point``: sum of the focal loss of all keypoints, divided by the number of keypoints in boxes."""
        inside, near = [], []
        for keypoints, boxes in zip(data["keypoints"], data["gt_boxes"]):
            enlarged = boxes + boxes.new_tensor([0, 0, 0, MARGIN, MARGIN, MARGIN, 0])
            inside.append(ops.points_in_boxes(keypoints, boxes) >= 0)
            near.append(ops.points_in_boxes(keypoints, enlarged) >= 0)
        positive = torch.cat(inside)
        counted = ~(torch.cat(near) ^ positive)
        logits = data["keypoint_logits"]
        losses = sigmoid_focal(logits, positive.to(logits.dtype))
        return {"loss_point": (losses * counted).sum() / positive.sum().clamp(min=1)}
