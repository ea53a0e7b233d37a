"""What a detector has to know of a data set, measured once on its labelled frames: volume, voxels, anchors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kecor.geometry import corners

STRIDE = 16
"""Voxels along x and along y come in multiples of it: the backbones halve the map three or four times."""
Z_SIZE, Z_CELLS, Z_STEP = 0.1, 40, 8
FINE, COARSE, LARGE = 0.05, 0.1, 100.0
"""Metres: voxel sizes along x and y of volumes up to LARGE long and of longer ones, as published for KITTI, Waymo."""
FEW = 10
"""Boxes of a class below which their mean size is not to be trusted."""
LONG = 3.0
"""Metres: classes longer on average are matched at the overlaps of cars, others at those of pedestrians."""
PERCENTILES = (0.5, 99.5)


def voxel_size(boxes: np.ndarray) -> float:
    """Metres of a voxel along x and y for a volume around ``boxes`` (M, 7)."""
    low, high = _extent(boxes)
    return FINE if (high - low)[:2].max() <= LARGE else COARSE


def volume(boxes: np.ndarray, size: Sequence[float]) -> list[float]:
    """x0, y0, z0, x1, y1, z1 in metres around ``boxes`` (M, 7), M > 0, for voxels of ``size``.

    All of the boxes but for half a percent on each side, widened about the middle to a multiple of 16 voxels along x
    and y, and along z to 40 voxels or a multiple of 8 above.
    """
    low, high = _extent(boxes)
    cells = np.ceil((high - low) / np.asarray(size) - 1e-6)
    cells[:2] = np.ceil(cells[:2] / STRIDE) * STRIDE
    cells[2] = max(Z_CELLS, np.ceil(cells[2] / Z_STEP) * Z_STEP)
    extent = cells * np.asarray(size)
    start = np.round((low + high - extent) / 2, 2)
    return [round(float(v), 4) for v in (*start, *(start + extent))]


def _extent(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3,) the 0.5 percentile of the boxes' lower edges along x, y, z, and the 99.5 percentile of the upper ones."""
    eight = corners(boxes)
    low, high = PERCENTILES
    return np.percentile(eight.min(axis=1), low, axis=0), np.percentile(eight.max(axis=1), high, axis=0)


def anchors(boxes: np.ndarray, names: np.ndarray, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The anchors of each class, for ``detector.dense_head.anchors``.

    Sizes are means, as in the published ones (Yan et al. 2018, 3.3); the bottom is the median of z - dz / 2. Headings
    are 0 and 90 degrees. Overlaps for matching are those published for cars where boxes are long, else for pedestrians.
    """
    found = []
    for name in classes:
        own = boxes[names == name]
        size = own[:, 3:6].mean(axis=0)
        matched, unmatched = (0.6, 0.45) if size[0] > LONG else (0.5, 0.35)
        found.append(
            {
                "name": name,
                "size": [round(float(v), 2) for v in size],
                "bottom": round(float(np.median(own[:, 2] - own[:, 5] / 2)), 2),
                "rotations": [0, 1.57],
                "matched": matched,
                "unmatched": unmatched,
            }
        )
    return found


def outside(boxes: np.ndarray, point_cloud_range: Sequence[float]) -> np.ndarray:
    """(M,) mask of the boxes whose centres lie outside a volume: training never sees them."""
    low, high = np.asarray(point_cloud_range).reshape(2, 3)
    return np.asarray(((boxes[:, :3] < low) | (boxes[:, :3] >= high)).any(axis=1))


def voxel_limit(counts: np.ndarray) -> int:
    """Voxels that 99 of 100 sweeps stay within, rounded up to a thousand; without any, 16000 as for KITTI."""
    return int(np.ceil(np.percentile(counts, 99) / 1000) * 1000) if counts.any() else 16000
