"""The dense head: predicts class, box and direction of every anchor."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kecor.config import check_arguments
from kecor.detectors.dropout_passes import DENSE_HEAD, DropoutPasses
from kecor.detectors.grid import Grid
from kecor.detectors.targets import box_coder
from kecor.detectors.targets.anchor_losses import anchor_losses
from kecor.detectors.targets.anchors import KITTI_ANCHORS, AnchorSpec, class_anchors
from kecor.detectors.targets.target_assigner import assign
from kecor.errors import ConfigError
from kecor.registry import DETECTOR_STAGES

PRIOR = 0.01
"""Score of every anchor at initialisation (Lin et al. 2017, section 4.1)."""


@DETECTOR_STAGES.register_module("anchor_head")
class AnchorHead(nn.Module):
    """Three 1x1 convolutions over the map. Anchors are ordered by (y, x, class, rotation).

    Args:
        in_channels: channels of the map.
        shape: (H, W) of the map.
        grid: the voxel grid that the map covers.
        classes: class names, in label order.
        anchors: arguments of one :class:`~kecor.detectors.targets.anchors.AnchorSpec` per class; those of other classes
            are ignored. Default: KITTI's.
        velocity: also predict the velocity of each box, in m/s along x and y.

    Raises:
        ConfigError: an anchor with invalid arguments, or a class without an anchor.
    """

    anchors: Tensor

    def __init__(
        self,
        in_channels: int,
        shape: tuple[int, int],
        grid: Grid,
        classes: Sequence[str],
        anchors: Sequence[dict] | None = None,
        velocity: bool = False,
    ):
        super().__init__()
        self.specs = [s for s in _specs(anchors) if s.name in classes]
        for name in classes:
            if name not in [s.name for s in self.specs]:
                raise ConfigError(f"detector.dense_head.anchors: no anchor for class {name!r} of data.classes")
        self.n_classes = len(classes)
        self.spec_labels = [list(classes).index(s.name) for s in self.specs]
        table = torch.cat([class_anchors(s, grid.point_cloud_range, shape) for s in self.specs], dim=2)
        self.register_buffer("anchors", table, persistent=False)
        n = table.shape[2]
        self.velocity = velocity
        self.code_size = 9 if velocity else 7
        self.conv_cls = nn.Conv2d(in_channels, n * self.n_classes, 1)
        self.conv_box = nn.Conv2d(in_channels, n * self.code_size, 1)
        self.conv_dir_cls = nn.Conv2d(in_channels, n * box_coder.DIRECTION_BINS, 1)
        nn.init.constant_(self.conv_cls.get_parameter("bias"), -math.log((1 - PRIOR) / PRIOR))
        nn.init.normal_(self.conv_box.weight, std=0.001)

    def forward(self, data: dict) -> dict:
        """Reads ``spatial_features_2d`` (N, in_channels, H, W). Adds, in float32, the class logits ``cls_preds``
        (N, A, classes), the residuals ``box_preds`` (N, A, 7), or (N, A, 9) with velocities, and the direction logits
        ``dir_cls_preds`` (N, A, 2).

        Runs in float32 under autocast too: bfloat16 is too coarse for scores that rank boxes.
        """
        with torch.autocast(self.anchors.device.type, enabled=False):
            x = data["spatial_features_2d"].float()
            return {
                **data,
                "cls_preds": self._rows(self.conv_cls(x), self.n_classes),
                "box_preds": self._rows(self.conv_box(x), self.code_size),
                "dir_cls_preds": self._rows(self.conv_dir_cls(x), box_coder.DIRECTION_BINS),
            }

    @staticmethod
    def _rows(maps: Tensor, width: int) -> Tensor:
        """(N, n * width, H, W) maps as (N, H * W * n, width), one row per anchor."""
        return maps.permute(0, 2, 3, 1).reshape(len(maps), -1, width)

    def decode(self, data: dict, frame: int, index: Tensor | slice = slice(None)) -> Tensor:
        """(K, 7) decoded boxes of the anchors ``index`` of one frame; headings in [-pi, pi)."""
        anchors = self.anchors.view(-1, 7)[index]
        return _decode(data["box_preds"][frame, index], data["dir_cls_preds"][frame, index], anchors)

    def velocities(self, data: dict, frame: int, index: Tensor) -> Tensor | None:
        """(K, 2) velocities of the anchors ``index`` of one frame, or None if they are not predicted."""
        return data["box_preds"][frame, index, 7:] if self.velocity else None

    def passes(self, bev: Tensor, index: Tensor, dropout: DropoutPasses) -> tuple[Tensor, Tensor]:
        """Predictions for some anchors in each of P dropout passes, which drop channels of the map.

        Only the map cells and convolution rows of these anchors are computed.

        Args:
            bev: (in_channels, H, W) map of one frame.
            index: (K,) anchors.
            dropout: number of passes and dropout rate.

        Returns:
            (K, P, classes) class logits and (K, P, 7) boxes.
        """
        cell, kind = index // self.anchors.shape[2], index % self.anchors.shape[2]
        with torch.autocast(bev.device.type, enabled=False):
            features = dropout.apply(bev.flatten(1)[:, cell].T, DENSE_HEAD)

            def predict(layer: nn.Conv2d, width: int) -> Tensor:
                weight = layer.weight.view(-1, width, layer.in_channels)[kind]
                return (
                    torch.einsum("kpc,kwc->kpw", features, weight)
                    + layer.get_parameter("bias").view(-1, 1, width)[kind]
                )

            logits, residuals = predict(self.conv_cls, self.n_classes), predict(self.conv_box, self.code_size)
            directions = predict(self.conv_dir_cls, box_coder.DIRECTION_BINS)
            return logits, _decode(residuals, directions, self.anchors.view(-1, 1, 7)[index])

    def targets(self, gt_boxes: Sequence[Tensor], gt_labels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """(N, A) labels and (N, A, 7 or 9) residuals of all anchors of a batch; see
        :func:`~kecor.detectors.targets.target_assigner.assign`. With velocities, ``gt_boxes`` are (M, 9)."""
        sizes = [len(spec.rotations) for spec in self.specs]
        all_labels, all_residuals = [], []
        for boxes, labels in zip(gt_boxes, gt_labels):
            class_labels, class_residuals = [], []
            for spec, label, anchors in zip(self.specs, self.spec_labels, self.anchors.split(sizes, dim=2)):
                gt = boxes[labels == label].to(anchors.dtype)
                assigned, residuals = assign(anchors.reshape(-1, 7), gt, label, spec.matched, spec.unmatched)
                class_labels.append(assigned.view(anchors.shape[:3]))
                class_residuals.append(residuals.view(*anchors.shape[:3], self.code_size))
            all_labels.append(torch.cat(class_labels, dim=2).flatten())
            all_residuals.append(torch.cat(class_residuals, dim=2).view(-1, self.code_size))
        return torch.stack(all_labels), torch.stack(all_residuals)

    def loss(self, data: dict) -> dict[str, Tensor]:
        """``loss_cls``, ``loss_loc`` and ``loss_dir`` of a batch that went through :meth:`forward`.

        Reads ``gt_boxes`` and ``gt_labels``, and ``gt_velocities`` (NaN where unknown) if velocities are predicted.

        Raises:
            ConfigError: velocities are predicted but the data set has none.
        """
        with torch.autocast(self.anchors.device.type, enabled=False):
            labels, residuals = self.targets(self._gt_boxes(data), data["gt_labels"])
            predictions = (data["cls_preds"], data["box_preds"], data["dir_cls_preds"])
            return anchor_losses(*predictions, self.anchors.view(-1, 7), labels, residuals)

    def _gt_boxes(self, data: dict) -> Sequence[Tensor]:
        if not self.velocity:
            return data["gt_boxes"]
        if "gt_velocities" not in data:
            raise ConfigError("detector.dense_head.velocity: the data set has no velocities; set it to false")
        return [torch.cat(pair, dim=1) for pair in zip(data["gt_boxes"], data["gt_velocities"])]


def _decode(residuals: Tensor, directions: Tensor, anchors: Tensor) -> Tensor:
    """(..., 7) boxes from residuals (..., 7 or 9) and direction logits (..., 2); headings in [-pi, pi)."""
    boxes = box_coder.decode(residuals, anchors)
    heading = box_coder.decode_heading(boxes[..., 6], directions.argmax(dim=-1))
    return torch.cat([boxes[..., :6], heading[..., None]], dim=-1)


def _specs(anchors: Sequence[dict] | None) -> Sequence[AnchorSpec]:
    if anchors is None:
        return KITTI_ANCHORS
    for number, section in enumerate(anchors):
        check_arguments(AnchorSpec, section, f"detector.dense_head.anchors[{number}]")
    return [AnchorSpec(**section) for section in anchors]
