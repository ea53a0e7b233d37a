"""Sweeps of a flat site with boxes on it, points on their faces, for tests."""

from __future__ import annotations

import numpy as np

from kecor.geometry.boxes import rotate_points
from kecor.structures import Frame, as_boxes

SIZES = {"Car": (4.2, 1.8, 1.6), "Walker": (0.8, 0.6, 1.8)}
GROUND = -1.7


def site(seed: int, frame_id: str = "000", cars: int = 6, walkers: int = 3, reach: float = 40.0) -> Frame:
    """A frame of 6,000 points: ground, and 200 points inside each box; boxes do not overlap."""
    rng = np.random.default_rng(seed)
    names = np.array(["Car"] * cars + ["Walker"] * walkers)
    n = len(names)
    cells = rng.permutation(int(reach / 4) ** 2)[:n]
    place = np.stack(np.divmod(cells, int(reach / 4)), axis=1) * 8.0 - reach + 4
    sizes = np.array([SIZES[name] for name in names]).reshape(-1, 3) * rng.uniform(0.95, 1.05, (n, 3))
    boxes = np.column_stack([place, GROUND + sizes[:, 2] / 2, sizes, rng.uniform(-3, 3, n)])
    clouds = [np.column_stack([rng.uniform(-reach, reach, (6000 - 200 * n, 2)), np.full(6000 - 200 * n, GROUND)])]
    for box in boxes:
        inside = rotate_points(rng.uniform(-0.49, 0.49, (200, 3)) * box[3:6], box[6])
        clouds.append(inside + box[:3])
    points = np.concatenate(clouds)
    points = np.column_stack([points, rng.uniform(0, 1, len(points))]).astype(np.float32)
    return Frame(frame_id, points, as_boxes(boxes), names)


def sites(n: int, **keys) -> list[Frame]:
    return [site(k, f"{k:03d}", **keys) for k in range(n)]
