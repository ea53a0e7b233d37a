"""Values that cannot be what they should be: headings, intensities, coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kecor.structures import Frame

FAR, NEAR = 300.0, 2.0
"""Metres: half of the points of a LiDAR lie nearer than FAR; and not nearly all of them nearer than NEAR."""
USUAL = 12.0
"""Metres: about the median distance of a LiDAR's points, by which units are told apart."""
UNITS = {"millimetres": 1000.0, "centimetres": 100.0}
STEP = 50
"""Every so many points are looked at."""


def about_headings(written: Sequence[Frame], label_reading: Sequence[str] | None = None) -> list[str]:
    """A warning when headings as written exceed two pi and are not read as degrees."""
    headings = np.concatenate([np.zeros(0), *(frame.boxes[:, 6] for frame in written)])
    beyond = int((np.abs(headings) > 2 * np.pi).sum())
    if not beyond or "degrees" in (label_reading or ()):
        return []
    return [f"{beyond} of {len(headings)} headings exceed two pi: are they degrees?"]


def about_intensity(frames: Sequence[Frame], highest: float = 1.0, advice: str = "write it in [0, 1]") -> list[str]:
    """A warning when the fourth column of points exceeds ``highest``."""
    found = max((float(frame.points[:, 3].max(initial=0)) for frame in frames if frame.points.shape[1] > 3), default=0)
    return [f"intensity reaches {found:.4g}, beyond {highest:g}; {advice}"] if found > highest else []


def about_coordinates(frames: Sequence[Frame]) -> list[str]:
    """A warning when x and y of points cannot be metres from a sensor; it names what they are likely instead."""
    xy = np.concatenate([np.zeros((0, 2)), *(frame.points[::STEP, :2] for frame in frames)]).astype(np.float64)
    if not len(xy):
        return []
    distances = np.linalg.norm(xy, axis=1)
    middle, most = float(np.median(distances)), float(np.percentile(distances, 99))
    if middle > FAR:
        spread = float(np.median(np.linalg.norm(xy - np.median(xy, axis=0), axis=1)))
        unit = min(UNITS, key=lambda name: abs(np.log(middle / UNITS[name] / USUAL)))
        likely = "in the frame of a map: subtract the pose of the sensor" if spread < FAR else f"in {unit}"
        return [f"half of the points are more than {middle:.4g} m from the origin; they are likely {likely}"]
    if most < NEAR:
        return [f"99 of 100 points are within {most:.3g} m of the origin; are they kilometres, or scaled?"]
    return []
