"""Independent references: shapely polygons and plain float64 loops."""

import numpy as np
from shapely import affinity
from shapely.geometry import Polygon, box


def polygon(row: np.ndarray) -> Polygon:
    """Footprint of a (7,) box."""
    x, y, _, dx, dy, _, heading = np.asarray(row, np.float64)
    footprint = affinity.rotate(box(-dx / 2, -dy / 2, dx / 2, dy / 2), heading, origin=(0, 0), use_radians=True)
    return affinity.translate(footprint, x, y)


def iou(a: np.ndarray, b: np.ndarray, vertical: bool = False) -> np.ndarray:
    """(N, M) IoU of footprints, or of volumes with ``vertical``."""
    result = np.zeros((len(a), len(b)))
    for i, p in enumerate(np.asarray(a, np.float64)):
        for j, q in enumerate(np.asarray(b, np.float64)):
            shared = polygon(p).intersection(polygon(q)).area
            sizes = p[3] * p[4], q[3] * q[4]
            if vertical:
                height = min(p[2] + p[5] / 2, q[2] + q[5] / 2) - max(p[2] - p[5] / 2, q[2] - q[5] / 2)
                shared *= max(height, 0)
                sizes = sizes[0] * p[5], sizes[1] * q[5]
            result[i, j] = shared / max(sum(sizes) - shared, 1e-12)
    return result


def random_boxes(rng: np.random.Generator, n: int, spread: float = 4.0) -> np.ndarray:
    """(n, 7) float32 boxes crowded around a point far from the origin."""
    return np.column_stack(
        [
            rng.normal([50, -20, -1], [spread, spread, 0.5], (n, 3)),
            rng.uniform([0.4, 0.4, 0.5], [6, 3, 2.5], (n, 3)),
            rng.uniform(-np.pi, np.pi, n),
        ]
    ).astype(np.float32)
