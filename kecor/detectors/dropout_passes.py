"""Dropout passes: several predictions of a detector's heads, each with other channels of their input dropped.

This is Monte Carlo dropout (Gal and Ghahramani, ICML 2016) at inference only, in a network that was trained without
dropout in these places (Loquercio, Segu and Scaramuzza, RA-L 2020). The masks are drawn once and shared by all frames
and RoIs ("consistent" dropout, as in BatchBALD; Kirsch et al., NeurIPS 2019), so a pass is one fixed sub-network and
its predictions for a frame depend neither on the order of the frames nor on the batch. Dropout is applied only to the
input of the heads, so the backbone runs once per frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

DENSE_HEAD, ROI_HEAD = 0, 1
"""Seeds of the masks: the inputs of the dense head and of the RoI head get independent masks."""


@dataclass(frozen=True)
class DropoutPasses:
    """The number of dropout passes and their dropout rate.

    Attributes:
        passes: number of passes P, at least 2.
        rate: probability that a channel is dropped, in (0, 1).
    """

    passes: int
    rate: float

    def masks(self, channels: int, head: int) -> np.ndarray:
        """(P, channels) float32 masks: 0 for a dropped channel, else 1 / (1 - rate).

        They are a function of the arguments and the settings; ``head`` is :data:`DENSE_HEAD` or :data:`ROI_HEAD`.
        """
        kept = np.random.default_rng([head, channels]).random((self.passes, channels)) >= self.rate
        return (kept / (1 - self.rate)).astype(np.float32)

    def apply(self, features: Tensor, head: int) -> Tensor:
        """(R, P, C) float32: the features (R, C) under the mask of each pass."""
        return features.float()[:, None] * torch.from_numpy(self.masks(features.shape[1], head)).to(features.device)
