"""From the scores of all anchors to the few boxes that are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kecor import ops


@dataclass(frozen=True)
class PostProcessing:
    """What is kept of a frame's boxes; defaults as in OpenPCDet's second.yaml.

    Attributes:
        score_threshold: boxes that score less are dropped.
        nms_threshold: overlap (rotated, bird's-eye view) above which the lower of two boxes is dropped, whatever
            their classes.
        pre_nms: boxes that enter the suppression, best first.
        post_nms: boxes that leave it.
    """

    score_threshold: float = 0.1
    nms_threshold: float = 0.01
    pre_nms: int = 4096
    post_nms: int = 500


def best(scores: Tensor, limit: int, threshold: float = 0.0) -> Tensor:
    """Indices of the ``limit`` highest scores that are at least ``threshold``, best first, ties in index order."""
    index = (scores >= threshold).nonzero().squeeze(1)
    if 0 < limit < len(index):  # sort no more than the best and what ties with the last of them
        least = scores[index].topk(limit, sorted=False).values.amin()
        index = (scores >= least).nonzero().squeeze(1)
    order = torch.sort(scores[index], descending=True, stable=True).indices
    return index[order[:limit]]


def suppress(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """Indices, best first, of the at most ``limit`` boxes that rotated non-maximum suppression keeps."""
    kept = ops.nms_bev(to_numpy(boxes), to_numpy(scores), threshold, max_keep=limit)
    return torch.from_numpy(kept).to(boxes.device)


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The values on the CPU, floating-point ones as float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
