"""KITTI's 2D, bird's-eye-view and 3D average precision and average orientation similarity.

The rules are those of the object benchmark's evaluator (Geiger et al., CVPR 2012; http://www.cvlibs.net/datasets/kitti,
object development kit), with 11 recall positions as it prints them and with the 40 the leaderboard uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kecor.datasets.kitti.difficulty import LEVELS
from kecor.datasets.kitti.labels import KittiObjects
from kecor.evaluation.average_precision import r11, r40, recall_thresholds, sampled_curve
from kecor.evaluation.kitti.matching import COUNTED, count_matches, matched_scores
from kecor.evaluation.kitti.pairs import METRICS, FramePairs, pair_frames
from kecor.evaluation.kitti.roles import both_on_image, det_roles, gt_roles

CLASSES = ("Car", "Pedestrian", "Cyclist")
NO_ALPHA = -10
"""The observation angle of a detection that has none."""

KittiResult = dict[str, dict[str, dict[str, list[float | None]]]]
"""class -> ``bbox``, ``bev``, ``3d``, ``aos`` -> ``R11``, ``R40`` -> [easy, moderate, hard] in percent."""


def min_overlap(name: str, metric: str, overlaps: str) -> float:
    """The overlap a match must exceed.

    ``strict`` is official: 0.7 for cars, 0.5 for pedestrians and cyclists. ``loose`` lowers ``bev`` and ``3d`` to 0.5
    for cars and 0.25 for others. A class outside the benchmark is measured as pedestrians are.

    Raises:
        ValueError: ``overlaps`` is neither.
    """
    if overlaps not in ("strict", "loose"):
        raise ValueError(f"overlaps: {overlaps!r} is neither 'strict' nor 'loose'")
    car = name.lower() == "car"
    if overlaps == "strict" or metric == "bbox":
        return 0.7 if car else 0.5
    return 0.5 if car else 0.25


def evaluate(
    gt: Sequence[KittiObjects],
    det: Sequence[KittiObjects],
    classes: Sequence[str] = CLASSES,
    overlaps: str = "strict",
    own: Mapping[str, float] | None = None,
) -> KittiResult:
    """Average precision of detections, frame by frame.

    As in the official evaluator, precision is sampled at the scores of true positives, one for each recall position:
    where fewer than 40 objects count at a level, even perfect detections stay below 100.

    Args:
        gt: the label file of each frame, every row of it, DontCare included.
        det: the detections of the same frames.
        classes: what to evaluate; letter case does not matter.
        overlaps: see :func:`min_overlap`.
        own: class -> overlap in place of that of ``overlaps``, for every metric.

    Returns:
        See :data:`KittiResult`. None where nothing can be measured: at a difficulty at which no object of the class
        counts; for ``bbox`` and ``aos`` when no label or no detection has a 2D box; and for ``aos`` when any detection
        has no observation angle (-10).

    Raises:
        ValueError: ``gt`` and ``det`` differ in length, or ``overlaps`` is unknown.
    """
    return evaluate_pairs(pair_frames(gt, det), classes, overlaps, own)


def evaluate_pairs(
    pairs: FramePairs, classes: Sequence[str], overlaps: str, own: Mapping[str, float] | None = None
) -> KittiResult:
    """:func:`evaluate` for frames already paired, so that several ``overlaps`` share the work."""
    has_alpha = not (pairs.det.alpha == NO_ALPHA).any()
    measured = METRICS if both_on_image(pairs) else ("bev", "3d")
    result: KittiResult = {}
    for name in classes:
        result[name] = {key: {"R11": [None] * 3, "R40": [None] * 3} for key in (*METRICS, "aos")}
        for level in range(len(LEVELS)):
            roles = gt_roles(pairs, name, level), det_roles(pairs, name, level)
            if not (roles[0] == COUNTED).any():
                continue
            for metric in measured:
                needed = (own or {}).get(name, min_overlap(name, metric, overlaps))
                precision, similarity = _curves(pairs, *roles, metric, needed)
                curves = {metric: precision}
                if metric == "bbox" and has_alpha:
                    curves["aos"] = similarity
                for key, curve in curves.items():
                    result[name][key]["R11"][level] = r11(curve)
                    result[name][key]["R40"][level] = r40(curve)
    return result


def _curves(
    pairs: FramePairs, of_gt: np.ndarray, of_det: np.ndarray, metric: str, needed: float
) -> tuple[np.ndarray, np.ndarray]:
    """(41,) precision and (41,) orientation similarity over recall."""
    overlaps = np.ascontiguousarray(pairs.overlaps[:, METRICS.index(metric)])
    starts = pairs.gt_starts, pairs.det_starts, pairs.pair_starts
    matching = of_gt, of_det, pairs.det.scores, overlaps, needed, *starts
    thresholds = recall_thresholds(matched_scores(*matching), int((of_gt == COUNTED).sum()))
    # DontCare regions have no place in space: only on the image do they excuse a detection
    excused = pairs.dont_care > needed if metric == "bbox" else np.zeros(len(pairs.det), bool)
    right, wrong, similarity = count_matches(*matching, thresholds, excused, pairs.gt.alpha, pairs.det.alpha).T
    return sampled_curve(right, right + wrong), sampled_curve(similarity, right + wrong)
