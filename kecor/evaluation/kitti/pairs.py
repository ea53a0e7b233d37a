"""How much each detection overlaps each ground truth object of its frame: on the image, from above, in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numba import njit

from kecor.datasets.kitti.labels import DONT_CARE, KittiObjects
from kecor.ops.polygon import rectangle_intersection

METRICS = ("bbox", "bev", "3d")


@dataclass(frozen=True)
class FramePairs:
    """The objects and detections of all frames in one row, and their overlaps.

    Attributes:
        gt: all ground truth objects; those of frame f are rows ``gt_starts[f]`` to ``gt_starts[f + 1]``.
        det: all detections, likewise with ``det_starts``.
        gt_starts: (F + 1,) int64.
        det_starts: (F + 1,) int64.
        pair_starts: (F + 1,) int64; the pairs of frame f stand ground truth by ground truth, detection by detection.
        overlaps: (P, 3) intersection over union of each pair by ``bbox``, ``bev`` and ``3d``.
        dont_care: (D,) greatest share of each detection's 2D box that one DontCare region of its frame covers.
    """

    gt: KittiObjects
    det: KittiObjects
    gt_starts: np.ndarray
    det_starts: np.ndarray
    pair_starts: np.ndarray
    overlaps: np.ndarray
    dont_care: np.ndarray


def pair_frames(gt: Sequence[KittiObjects], det: Sequence[KittiObjects]) -> FramePairs:
    """Pair the ground truth and the detections of each frame.

    Raises:
        ValueError: ``gt`` and ``det`` differ in length.
    """
    if len(gt) != len(det):
        raise ValueError(f"gt and det: {len(gt)} frames and {len(det)} frames")
    n_gt, n_det = (np.array([len(objects) for objects in frames], np.int64) for frames in (gt, det))
    gt_starts, det_starts, pair_starts = map(_starts, (n_gt, n_det, n_gt * n_det))
    all_gt, all_det = _concatenate(gt), _concatenate(det)
    is_region = np.char.lower(all_gt.names) == DONT_CARE.lower()
    overlaps, dont_care = _overlaps(
        _geometry(all_gt), _geometry(all_det), is_region, gt_starts, det_starts, pair_starts
    )
    return FramePairs(all_gt, all_det, gt_starts, det_starts, pair_starts, overlaps, dont_care)


def _starts(counts: np.ndarray) -> np.ndarray:
    """(F + 1,) int64 where each frame starts, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _concatenate(frames: Sequence[KittiObjects]) -> KittiObjects:
    frames = [KittiObjects.from_rows([], np.zeros((0, 15))), *frames]
    return KittiObjects(**{f.name: np.concatenate([getattr(o, f.name) for o in frames]) for f in fields(KittiObjects)})


def _geometry(objects: KittiObjects) -> np.ndarray:
    """(M, 11): the 2D box, x, y, z of the bottom face's centre (y down), height, width, length, rotation_y."""
    columns = [objects.bbox, objects.location, objects.dimensions, objects.rotation_y]
    return np.column_stack(columns).astype(np.float64)


@njit(cache=True, nogil=True)
def _shared_image_area(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0.0 and height > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _overlap(a, b, out):
    """Write the three overlaps of two :func:`_geometry` rows to ``out``."""
    shared = _shared_image_area(a, b)
    if shared > 0.0:
        out[0] = shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
    # seen from above, in (x, z), a positive rotation_y turns from +z towards +x: the other way round
    shared = rectangle_intersection(a[4], a[6], a[9], a[8], -a[10], b[4], b[6], b[9], b[8], -b[10])
    if shared <= 0.0:
        return
    area_a, area_b = a[8] * a[9], b[8] * b[9]
    out[1] = shared / (area_a + area_b - shared)
    height = min(a[5], b[5]) - max(a[5] - a[7], b[5] - b[7])
    if height > 0.0:
        shared *= height
        out[2] = shared / (area_a * a[7] + area_b * b[7] - shared)


@njit(cache=True, nogil=True)
def _overlaps(gt, det, is_region, gt_starts, det_starts, pair_starts):
    overlaps = np.zeros((pair_starts[-1], 3))
    covered = np.zeros(len(det))
    for f in range(len(gt_starts) - 1):
        pair = pair_starts[f]
        for i in range(gt_starts[f], gt_starts[f + 1]):
            for j in range(det_starts[f], det_starts[f + 1]):
                if not is_region[i]:
                    _overlap(gt[i], det[j], overlaps[pair])
                else:
                    shared = _shared_image_area(gt[i], det[j])
                    if shared > 0.0:
                        area = (det[j, 2] - det[j, 0]) * (det[j, 3] - det[j, 1])
                        covered[j] = max(covered[j], shared / area)
                pair += 1
    return overlaps, covered
