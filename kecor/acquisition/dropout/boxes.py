"""Mean and variance of the boxes that several dropout passes predict for the same RoI.

Headings are compared modulo half a turn: a box turned by 180 degrees covers the same space, and which way an object
faces is decided by the detector's direction classifier, not by box regression.
"""

from __future__ import annotations

import numpy as np


def mean_boxes(boxes: np.ndarray) -> np.ndarray:
    """(n, 7) mean over P passes of (n, P, 7) boxes; headings by the circular mean modulo pi, in [-pi/2, pi/2]."""
    mean, twice = boxes.mean(1), 2 * boxes[..., 6]
    mean[:, 6] = np.arctan2(np.sin(twice).mean(1), np.cos(twice).mean(1)) / 2
    return mean


def box_variances(boxes: np.ndarray) -> np.ndarray:
    """(n, 7) dimensionless variances over P passes of (n, P, 7) boxes.

    As in the box residuals of SECOND (Yan et al. 2018): x and y of the centre relative to the diagonal of the mean
    box's footprint, z relative to its height, sizes as logarithms, and the heading in radians, modulo pi, about its
    circular mean.
    """
    mean = mean_boxes(boxes)
    diagonal = np.hypot(mean[:, 3], mean[:, 4])
    unit = np.stack([diagonal, diagonal, mean[:, 5]], 1)
    turn = boxes[..., 6] - mean[:, None, 6]
    turn -= np.pi * np.round(turn / np.pi)
    heading = np.square(turn).mean(1, keepdims=True)
    return np.concatenate([boxes[..., :3].var(1) / unit**2, np.log(boxes[..., 3:6]).var(1), heading], 1)
