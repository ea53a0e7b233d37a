"""The boxes of a RoI in its dropout passes: their mean, and how they scatter around it.

A heading is known here up to half a turn: a box that is turned round covers the same space, and which way it faces is
the detector's direction classifier's to say, not its regression's.
"""

from __future__ import annotations

import numpy as np


def mean_boxes(boxes: np.ndarray) -> np.ndarray:
    """(n, 7) mean of each row's (n, P, 7) boxes; of headings the circular mean up to half a turn, in [-pi/2, pi/2]."""
    mean, twice = boxes.mean(1), 2 * boxes[..., 6]
    mean[:, 6] = np.arctan2(np.sin(twice).mean(1), np.cos(twice).mean(1)) / 2
    return mean


def box_variances(boxes: np.ndarray) -> np.ndarray:
    """(n, 7) variances over the passes of each row's (n, P, 7) boxes, without units: of the centre in shares of the
    mean box's footprint's diagonal (x, y) and of its height (z), as box residuals are written (Yan et al. 2018), of
    log sizes, and of the heading in radians, up to half a turn, about its circular mean."""
    mean = mean_boxes(boxes)
    diagonal = np.hypot(mean[:, 3], mean[:, 4])
    unit = np.stack([diagonal, diagonal, mean[:, 5]], 1)
    turned = boxes[..., 6] - mean[:, None, 6]
    turned -= np.pi * np.round(turned / np.pi)
    of_heading = np.square(turned).mean(1, keepdims=True)
    return np.concatenate([boxes[..., :3].var(1) / unit**2, np.log(boxes[..., 3:6]).var(1), of_heading], 1)
