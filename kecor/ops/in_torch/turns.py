"""Cosines and sines that are the same on all devices."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor


@njit(cache=True, nogil=True)
def _turns(headings):
    return np.cos(headings), np.sin(headings)


def turns(headings: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of (M,) float64 headings.

    Taken on the CPU as the compiled kernels take them: mathematical libraries differ in the last place, which is
    enough to move a point on a face in or out.
    """
    cos, sin = _turns(headings.cpu().numpy())
    return torch.from_numpy(cos).to(headings.device), torch.from_numpy(sin).to(headings.device)
