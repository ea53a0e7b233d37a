"""Sampling of the proposals that train the second stage, and their score targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kecor import ops
from kecor.detectors.post_processing import to_numpy
from kecor.errors import ConfigError

SECTION = "detector.sampling"


@dataclass(frozen=True)
class RoiSampling:
    """Settings of RoI sampling; defaults as in OpenPCDet's pv_rcnn.yaml.

    Attributes:
        rois: RoIs sampled per frame.
        foreground: largest share of foreground RoIs.
        foreground_iou: 3D IoU with a ground-truth box of its class from which a proposal is foreground.
        hard_share: largest share of hard RoIs in the background.
        easy_iou: IoU below which a background proposal is easy.
        score_iou: IoU up to which the score target is 0, and IoU from which it is 1.

    Raises:
        ConfigError: an invalid value.
    """

    rois: int = 128
    foreground: float = 0.5
    foreground_iou: float = 0.55
    hard_share: float = 0.8
    easy_iou: float = 0.1
    score_iou: Sequence[float] = (0.25, 0.75)

    def __post_init__(self):
        is_integer = isinstance(self.rois, int) and not isinstance(self.rois, bool)
        _check(is_integer and self.rois >= 1, "rois", self.rois, "an integer of at least 1")
        for name in ("foreground", "hard_share"):
            value = getattr(self, name)
            _check(_is_number(value) and 0 <= value <= 1, name, value, "a number between 0 and 1")
        iou = self.foreground_iou
        _check(_is_number(iou) and 0 < iou <= 1, "foreground_iou", iou, "a number above 0 and at most 1")
        easy = self.easy_iou
        _check(_is_number(easy) and 0 <= easy <= iou, "easy_iou", easy, f"a number between 0 and foreground_iou, {iou}")
        score = self.score_iou
        pair = isinstance(score, (list, tuple)) and len(score) == 2 and all(_is_number(v) for v in score)
        _check(pair and 0 <= score[0] < score[1] <= 1, "score_iou", score, "two increasing numbers between 0 and 1")


@dataclass
class SampledRois:
    """The sampled proposals of one frame, foreground first, on the device of the proposals.

    Attributes:
        index: (R,) int64 positions in the proposals, possibly repeated.
        gt_boxes: (R, 7) ground-truth box of the same class with the highest IoU; zeros if the class has no box.
        iou: (R,) float32 3D IoU with that box.
    """

    index: Tensor
    gt_boxes: Tensor
    iou: Tensor


def sample(
    boxes: Tensor,
    labels: Tensor,
    gt_boxes: Tensor,
    gt_labels: Tensor,
    config: RoiSampling,
    rng: np.random.Generator,
) -> SampledRois:
    """Sample ``config.rois`` of one frame's proposals (Shi et al. 2020, section 4.1); none if there is no proposal.

    Args:
        boxes: (P, 7) proposals.
        labels: (P,) 0-based class.
        gt_boxes: (G, 7).
        gt_labels: (G,) 0-based class.
        config: number and shares of the samples.
        rng: source of the random choice.
    """
    overlap = ops.iou_3d(to_numpy(boxes), to_numpy(gt_boxes))
    same_class = to_numpy(labels)[:, None] == to_numpy(gt_labels)[None, :]
    no_box = np.full((len(overlap), 1), -0.5)  # a last column that is the maximum if the class has no box
    overlap = np.concatenate([np.where(same_class, overlap, -1.0), no_box], axis=1)
    match = overlap.argmax(axis=1)
    iou = overlap.max(axis=1).clip(min=0).astype(np.float32)

    chosen = _choose(iou, config, rng)
    match = torch.from_numpy(match[chosen]).to(gt_boxes.device)
    matched = torch.cat([gt_boxes, gt_boxes.new_zeros(1, 7)])[match]
    index, iou = (torch.from_numpy(array).to(boxes.device) for array in (chosen, iou[chosen]))
    return SampledRois(index, matched.to(boxes.device), iou)


def class_targets(iou: Tensor, config: RoiSampling) -> Tensor:
    """(R,) score targets: the IoU rescaled from ``config.score_iou`` to [0, 1] (Shi et al. 2020, equation 9)."""
    low, high = config.score_iou
    return ((iou - low) / (high - low)).clamp(0, 1)


def _choose(iou: np.ndarray, config: RoiSampling, rng: np.random.Generator) -> np.ndarray:
    """(R,) int64 positions: foreground without replacement, then hard and easy background with replacement. If one kind
    is missing, more of the others are drawn."""
    foreground = np.flatnonzero(iou >= config.foreground_iou)
    hard = np.flatnonzero((iou >= config.easy_iou) & (iou < config.foreground_iou))
    easy = np.flatnonzero(iou < config.easy_iou)
    if len(foreground) == len(iou):
        return rng.choice(foreground, config.rois if len(iou) else 0)
    n_foreground = min(round(config.rois * config.foreground), len(foreground))
    n_background = config.rois - n_foreground
    n_hard = min(int(n_background * config.hard_share), len(hard)) if len(easy) else n_background
    kinds = (rng.permutation(foreground)[:n_foreground], rng.choice(hard, n_hard))
    return np.concatenate([*kinds, rng.choice(easy, n_background - n_hard)])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check(valid: bool, name: str, value: Any, expected: str) -> None:
    if not valid:
        raise ConfigError(f"{SECTION}.{name}: got {value!r}; expected {expected}")
