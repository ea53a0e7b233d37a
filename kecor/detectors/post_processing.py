"""Score threshold and non-maximum suppression: from all anchors to the final boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kecor import ops


@dataclass(frozen=True)
class PostProcessing:
    """Settings of post-processing; defaults as in OpenPCDet's second.yaml.

    Attributes:
        score_threshold: boxes with a lower score are dropped.
        nms_threshold: rotated bird's-eye-view IoU above which the lower-scoring of two boxes is dropped, whatever their
            classes.
        pre_nms: largest number of boxes that enter non-maximum suppression, highest scores first.
        post_nms: largest number of boxes kept after it.
    """

    score_threshold: float = 0.1
    nms_threshold: float = 0.01
    pre_nms: int = 4096
    post_nms: int = 500


def best(scores: Tensor, limit: int, threshold: float = 0.0) -> Tensor:
    """Indices of the at most ``limit`` highest scores of at least ``threshold``, descending; ties in index order."""
    index = (scores >= threshold).nonzero().squeeze(1)
    if 0 < limit < len(index):  # sort only the top scores and those equal to the last of them
        least = scores[index].topk(limit, sorted=False).values.amin()
        index = (scores >= least).nonzero().squeeze(1)
    order = torch.sort(scores[index], descending=True, stable=True).indices
    return index[order[:limit]]


def suppress(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """Indices of the at most ``limit`` boxes kept by rotated non-maximum suppression, highest scores first."""
    kept = ops.nms_bev(to_numpy(boxes), to_numpy(scores), threshold, max_keep=limit)
    return torch.from_numpy(kept).to(boxes.device)


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The tensor as an array; floating-point values become float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
