"""Which proposals a second stage is trained on, and what their scores should be."""

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
    """How many proposals of a frame are trained on, and which; defaults as in OpenPCDet's pv_rcnn.yaml.

    Attributes:
        rois: sampled of a frame.
        foreground: the largest share of foreground among them.
        foreground_iou: 3D IoU with ground truth of its class from which a proposal is foreground.
        hard_share: the largest share of hard ones among the background.
        easy_iou: IoU below which a background proposal is easy.
        score_iou: IoU up to which the score should be 0, and from which it should be 1.

    Raises:
        ConfigError: a value no sampling can work with.
    """

    rois: int = 128
    foreground: float = 0.5
    foreground_iou: float = 0.55
    hard_share: float = 0.8
    easy_iou: float = 0.1
    score_iou: Sequence[float] = (0.25, 0.75)

    def __post_init__(self):
        whole = isinstance(self.rois, int) and not isinstance(self.rois, bool)
        _demand(whole and self.rois >= 1, "rois", self.rois, "a whole number of at least 1")
        for name in ("foreground", "hard_share"):
            value = getattr(self, name)
            _demand(_is_number(value) and 0 <= value <= 1, name, value, "between 0 and 1")
        iou = self.foreground_iou
        _demand(_is_number(iou) and 0 < iou <= 1, "foreground_iou", iou, "above 0 and at most 1")
        easy = self.easy_iou
        _demand(_is_number(easy) and 0 <= easy <= iou, "easy_iou", easy, f"between 0 and foreground_iou, {iou}")
        score = self.score_iou
        pair = isinstance(score, (list, tuple)) and len(score) == 2 and all(_is_number(v) for v in score)
        _demand(pair and 0 <= score[0] < score[1] <= 1, "score_iou", score, "two rising numbers between 0 and 1")


@dataclass
class SampledRois:
    """The sampled proposals of one frame, foreground first, on the device of the proposals.

    Attributes:
        index: (R,) int64 positions in the proposals; some come more than once.
        gt_boxes: (R, 7) the ground-truth box of its class each overlaps most; zeros where the class has none.
        iou: (R,) float32 3D IoU with it.
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
    """``config.rois`` of one frame's proposals; none when there are none (Shi et al. 2020, section 4.1).

    Args:
        boxes: (P, 7) proposals.
        labels: (P,) 0-based.
        gt_boxes: (G, 7).
        gt_labels: (G,) 0-based.
    """
    overlap = ops.iou_3d(to_numpy(boxes), to_numpy(gt_boxes))
    same = to_numpy(labels)[:, None] == to_numpy(gt_labels)[None, :]
    nothing = np.full((len(overlap), 1), -0.5)  # a last column that wins where the class has no box
    overlap = np.concatenate([np.where(same, overlap, -1.0), nothing], axis=1)
    match = overlap.argmax(axis=1)
    iou = overlap.max(axis=1).clip(min=0).astype(np.float32)

    chosen = _choose(iou, config, rng)
    match = torch.from_numpy(match[chosen]).to(gt_boxes.device)
    matched = torch.cat([gt_boxes, gt_boxes.new_zeros(1, 7)])[match]
    index, iou = (torch.from_numpy(array).to(boxes.device) for array in (chosen, iou[chosen]))
    return SampledRois(index, matched.to(boxes.device), iou)


def class_targets(iou: Tensor, config: RoiSampling) -> Tensor:
    """(R,) what the score of a region should be: its IoU brought from ``score_iou`` to [0, 1] (Shi et al. 2020,
    equation 9)."""
    low, high = config.score_iou
    return ((iou - low) / (high - low)).clamp(0, 1)


def _choose(iou: np.ndarray, config: RoiSampling, rng: np.random.Generator) -> np.ndarray:
    """(R,) int64 positions: foreground without replacement, then hard and easy background with it. Where one kind is
    missing the others fill its place."""
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


def _demand(holds: bool, name: str, value: Any, what: str) -> None:
    if not holds:
        raise ConfigError(f"{SECTION}.{name}: {value!r} is not {what}")
