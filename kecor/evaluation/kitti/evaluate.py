"""KITTI's 2D, bird's-eye-view and 3D average precision and average orientation similarity.

The rules are those of the object benchmark's evaluator (Geiger et al., CVPR 2012; http://www.cvlibs.net/datasets/kitti,
object development kit), with 11 recall positions as it prints them and with the 40 the leaderboard uses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kecor.datasets.kitti.difficulty import LEVELS, MIN_HEIGHT, difficulty
from kecor.datasets.kitti.labels import KittiObjects
from kecor.evaluation.average_precision import r11, r40, recall_thresholds, sampled_curve
from kecor.evaluation.kitti.matching import ABSENT, COUNTED, IGNORED, count_matches, matched_scores
from kecor.evaluation.kitti.pairs import METRICS, FramePairs, pair_frames

CLASSES = ("Car", "Pedestrian", "Cyclist")
NEIGHBOURS = {"car": "van", "pedestrian": "person_sitting"}
"""Objects of a neighbouring class are ignored: finding one is neither right nor wrong."""
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
) -> KittiResult:
    """Average precision of detections, frame by frame.

    As in the official evaluator, precision is sampled at the scores of true positives, one for each recall position:
    where fewer than 40 objects count at a level, even perfect detections stay below 100.

    Args:
        gt: the label file of each frame, every row of it, DontCare included.
        det: the detections of the same frames.
        classes: what to evaluate; letter case does not matter.
        overlaps: see :func:`min_overlap`.

    Returns:
        See :data:`KittiResult`. None where nothing can be measured: at a difficulty at which no object of the class
        counts, and for ``aos`` when any detection has no observation angle (-10).

    Raises:
        ValueError: ``gt`` and ``det`` differ in length, or ``overlaps`` is unknown.
    """
    return evaluate_pairs(pair_frames(gt, det), classes, overlaps)


def evaluate_pairs(pairs: FramePairs, classes: Sequence[str], overlaps: str) -> KittiResult:
    """:func:`evaluate` for frames already paired, so that several ``overlaps`` share the work."""
    level_of_gt = difficulty(pairs.gt)
    has_alpha = not (pairs.det.alpha == NO_ALPHA).any()
    result: KittiResult = {}
    for name in classes:
        result[name] = {key: {"R11": [None] * 3, "R40": [None] * 3} for key in (*METRICS, "aos")}
        for level in range(len(LEVELS)):
            roles = _gt_roles(pairs.gt, level_of_gt, name, level), _det_roles(pairs.det, name, level)
            if not (roles[0] == COUNTED).any():
                continue
            for metric in METRICS:
                precision, similarity = _curves(pairs, *roles, metric, min_overlap(name, metric, overlaps))
                curves = {metric: precision}
                if metric == "bbox" and has_alpha:
                    curves["aos"] = similarity
                for key, curve in curves.items():
                    result[name][key]["R11"][level] = r11(curve)
                    result[name][key]["R40"][level] = r40(curve)
    return result


def _gt_roles(gt: KittiObjects, level_of_gt: np.ndarray, name: str, level: int) -> np.ndarray:
    names = np.char.lower(gt.names)
    roles = np.full(len(gt), ABSENT)
    same = names == name.lower()
    fits = (level_of_gt >= 0) & (level_of_gt <= level)
    roles[same & fits] = COUNTED
    roles[(same & ~fits) | (names == NEIGHBOURS.get(name.lower(), ""))] = IGNORED
    return roles


def _det_roles(det: KittiObjects, name: str, level: int) -> np.ndarray:
    """A detection too low for the level is ignored whatever its class: the official evaluator looks there first."""
    roles = np.where(np.char.lower(det.names) == name.lower(), COUNTED, ABSENT)
    roles[np.abs(det.bbox[:, 3] - det.bbox[:, 1]) < MIN_HEIGHT[level]] = IGNORED
    return roles


def _curves(
    pairs: FramePairs, gt_roles: np.ndarray, det_roles: np.ndarray, metric: str, needed: float
) -> tuple[np.ndarray, np.ndarray]:
    """(41,) precision and (41,) orientation similarity over recall."""
    overlaps = np.ascontiguousarray(pairs.overlaps[:, METRICS.index(metric)])
    starts = pairs.gt_starts, pairs.det_starts, pairs.pair_starts
    matching = gt_roles, det_roles, pairs.det.scores, overlaps, needed, *starts
    thresholds = recall_thresholds(matched_scores(*matching), int((gt_roles == COUNTED).sum()))
    # DontCare regions have no place in space: only on the image do they excuse a detection
    excused = pairs.dont_care > needed if metric == "bbox" else np.zeros(len(pairs.det), bool)
    right, wrong, similarity = count_matches(*matching, thresholds, excused, pairs.gt.alpha, pairs.det.alpha).T
    return sampled_curve(right, right + wrong), sampled_curve(similarity, right + wrong)
