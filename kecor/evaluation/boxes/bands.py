"""Results by distance from the sensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kecor.evaluation.boxes.frames import VIEWS, ClassFrames
from kecor.evaluation.boxes.precision import average_precision, recall

BANDS = {"all": (0.0, np.inf), "0-30": (0.0, 30.0), "30-50": (30.0, 50.0), "50+": (50.0, np.inf)}
"""Name -> distances in metres from the sensor, from above, the upper one excluded."""
ByBand = dict[str, dict[str, float | None]]
"""``3d``, ``bev`` or ``recall`` -> band -> percent; None where the band has no object."""


def counts(frames: ClassFrames) -> dict[str, int]:
    """Number of objects in each band."""
    distances, _ = frames.ranges()
    return {band: int(((distances >= low) & (distances < high)).sum()) for band, (low, high) in BANDS.items()}


def measure(frames: ClassFrames, overlaps: Mapping[str, Sequence[np.ndarray]], needed: float) -> ByBand:
    """AP in each view, and ``recall``: the share of objects found in 3D; each by band, in percent.

    In a band, its objects are to be found. A detection counts where its object is or, if it found none, where it is.

    Args:
        frames: one class.
        overlaps: view -> those of the frames.
        needed: overlap that a match needs.
    """
    result: ByBand = {view: {} for view in (*VIEWS, "recall")}
    scores = np.concatenate([np.zeros(0), *frames.scores])
    far, own = frames.ranges()
    for view in VIEWS:
        found = frames.found(overlaps[view], needed)
        distances = np.where(found >= 0, np.append(far, 0.0)[found], own)
        for band, (low, high) in BANDS.items():
            counted = (distances >= low) & (distances < high)
            n_objects = int(((far >= low) & (far < high)).sum())
            right = found[counted] >= 0
            result[view][band] = average_precision(scores[counted], right, n_objects)
            if view == "3d":
                result["recall"][band] = recall(right, n_objects)
    return result
