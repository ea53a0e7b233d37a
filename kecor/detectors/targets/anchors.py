"""Anchor boxes over the bird's-eye-view map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class AnchorSpec:
    """The anchors of one class: one per map cell and rotation.

    Attributes:
        name: class name.
        size: dx, dy, dz in metres.
        bottom: z of the bottom face in metres.
        matched: an anchor with at least this overlap with a ground-truth box is positive.
        unmatched: an anchor below this overlap is negative; anchors between the two are ignored by the loss.
        rotations: headings in radians.
    """

    name: str
    size: Sequence[float]
    bottom: float
    matched: float
    unmatched: float
    rotations: Sequence[float] = (0.0, 1.57)


KITTI_ANCHORS = (
    AnchorSpec("Car", (3.9, 1.6, 1.56), -1.78, 0.6, 0.45),
    AnchorSpec("Pedestrian", (0.8, 0.6, 1.73), -0.6, 0.5, 0.35),
    AnchorSpec("Cyclist", (1.76, 0.6, 1.73), -0.6, 0.5, 0.35),
)
"""Yan et al. 2018, section 3.3; bottoms and rotations as in OpenPCDet's second.yaml."""


def class_anchors(spec: AnchorSpec, point_cloud_range: Sequence[float], shape: tuple[int, int]) -> Tensor:
    """(H, W, R, 7) float32 anchors of one class over a map of ``shape`` (H, W); y runs along H, x along W.

    The outermost anchors lie on the edges of the range, not at the centres of the outermost cells
    (``align_center: False`` in OpenPCDet).
    """
    x0, y0, _, x1, y1, _ = point_cloud_range
    height, width = shape
    y = torch.linspace(y0, y1, height, dtype=torch.float64)
    x = torch.linspace(x0, x1, width, dtype=torch.float64)
    anchors = torch.empty(height, width, len(spec.rotations), 7, dtype=torch.float64)
    anchors[..., 0] = x[None, :, None]
    anchors[..., 1] = y[:, None, None]
    anchors[..., 2] = spec.bottom + spec.size[2] / 2
    anchors[..., 3:6] = torch.tensor(spec.size, dtype=torch.float64)
    anchors[..., 6] = torch.tensor(spec.rotations, dtype=torch.float64)
    return anchors.float()
