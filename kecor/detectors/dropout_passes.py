"""Dropout passes: what a detector's heads say when channels of their input are dropped, several times over.

This is Monte Carlo dropout (Gal and Ghahramani, ICML 2016) at inference alone, in a network that was trained without
dropout in these places, as Loquercio, Segu and Scaramuzza did (RA-L 2020). The masks are drawn once and are the same
for all frames and regions ("consistent" dropout, as in BatchBALD, Kirsch et al., NeurIPS 2019): a pass is one thinned
network, and what it says of a frame depends neither on the order of the frames nor on their batches. The backbone is
not thinned, so it runs once a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

FIRST_HEAD, SECOND_HEAD = 0, 1
"""Seeds of the masks: those of the dense head's input and of the RoI head's are drawn independently."""


@dataclass(frozen=True)
class DropoutPasses:
    """How often the heads are thinned and how much.

    Attributes:
        passes: number of passes, at least 2.
        rate: probability that a channel is dropped, in (0, 1).
    """

    passes: int
    rate: float

    def masks(self, channels: int, head: int) -> np.ndarray:
        """(passes, channels) float32: 0 where a channel is dropped, else 1 / (1 - rate). A function of the arguments
        and the settings alone; ``head`` is :data:`FIRST_HEAD` or :data:`SECOND_HEAD`."""
        kept = np.random.default_rng([head, channels]).random((self.passes, channels)) >= self.rate
        return (kept / (1 - self.rate)).astype(np.float32)

    def thin(self, rows: Tensor, head: int) -> Tensor:
        """(R, passes, C) float32 copies of (R, C) rows of features, each masked as its pass has it."""
        return rows.float()[:, None] * torch.from_numpy(self.masks(rows.shape[1], head)).to(rows.device)
