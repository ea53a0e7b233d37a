"""Which labels and detections count at a difficulty, how many they are, and what the user has to know about it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kecor.datasets.kitti.difficulty import LEVELS, MIN_HEIGHT, difficulty
from kecor.datasets.kitti.labels import DONT_CARE, KittiObjects
from kecor.evaluation.kitti.matching import ABSENT, COUNTED, IGNORED
from kecor.evaluation.kitti.pairs import FramePairs

NEIGHBOURS = {"car": "van", "pedestrian": "person_sitting"}
"""Objects of a neighbouring class are ignored: finding one is neither right nor wrong."""

Counts = dict[str, dict[str, list[int]]]
"""class -> ``labels``, ``detections`` -> how many count at [easy, moderate, hard]."""


def without_box(objects: KittiObjects) -> np.ndarray:
    """(M,) mask of the objects whose 2D box has no area, such as four zeros, DontCare regions left out."""
    objects = objects.take(np.char.lower(objects.names) != DONT_CARE.lower())
    left, top, right, bottom = objects.bbox.T
    return (right <= left) | (bottom <= top)


def on_image(*frames: KittiObjects) -> bool:
    """False if there are objects but none has a 2D box, so that no height in the image is known."""
    without = [mask for mask in map(without_box, frames) if len(mask)]
    return not without or not all(mask.all() for mask in without)


def both_on_image(pairs: FramePairs) -> bool:
    """Whether anything can be measured on the image."""
    return on_image(pairs.gt) and on_image(pairs.det)


def gt_roles(pairs: FramePairs, name: str, level: int) -> np.ndarray:
    """(M,) role of each label when ``name`` is evaluated at a level."""
    names, level_of_gt = np.char.lower(pairs.gt.names), difficulty(pairs.gt, heights=on_image(pairs.gt))
    roles = np.full(len(names), ABSENT)
    same = names == name.lower()
    fits = (level_of_gt >= 0) & (level_of_gt <= level)
    roles[same & fits] = COUNTED
    roles[(same & ~fits) | (names == NEIGHBOURS.get(name.lower(), ""))] = IGNORED
    return roles


def det_roles(pairs: FramePairs, name: str, level: int) -> np.ndarray:
    """(K,) role of each detection.

    One too low for the level is ignored whatever its class: the official evaluator looks there first. Where labels or
    detections have no 2D boxes, none is too low.
    """
    roles = np.where(np.char.lower(pairs.det.names) == name.lower(), COUNTED, ABSENT)
    if both_on_image(pairs):
        roles[np.abs(pairs.det.bbox[:, 3] - pairs.det.bbox[:, 1]) < MIN_HEIGHT[level]] = IGNORED
    return roles


def count(pairs: FramePairs, classes: Sequence[str]) -> Counts:
    """How many labels and detections of each class count at each level."""
    levels = range(len(LEVELS))
    return {
        name: {
            "labels": [int((gt_roles(pairs, name, level) == COUNTED).sum()) for level in levels],
            "detections": [int((det_roles(pairs, name, level) == COUNTED).sum()) for level in levels],
        }
        for name in classes
    }


def remarks(pairs: FramePairs) -> list[str]:
    """What a user has to know of the 2D boxes to read the numbers; nothing where all objects have one."""
    if not on_image(pairs.gt):
        return [
            "no label has a 2D box: nothing is measured on the image (bbox, aos), and the difficulty of an object is "
            "that of its occlusion and truncation"
        ]
    found = []
    if without := int(without_box(pairs.gt).sum()):
        found.append(f"{without} labels have no 2D box: as objects of no height they count at no difficulty")
    if not on_image(pairs.det):
        found.append(
            "no detection has a 2D box: nothing is measured on the image (bbox, aos), and no detection is too low for "
            "a difficulty"
        )
    return found


def unlabelled(pairs: FramePairs, classes: Sequence[str]) -> list[str]:
    """A remark on the classes that no label is of, where there are any."""
    names = sorted(set(pairs.gt.names.tolist()) - {DONT_CARE})
    there = {name.lower() for name in names}
    absent = [name for name in classes if name.lower() not in there]
    known = ", ".join(names[:10]) or "none"
    return [f"no label is of class {', '.join(absent)}; there are: {known}"] if absent else []
