"""Reading a nuScenes result file that anybody may have written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kecor.datasets.nuscenes.categories import CLASSES
from kecor.errors import DataError
from kecor.evaluation.nuscenes.submission import MAX_BOXES
from kecor.files import read_json

LARGEST_INT = 2**53
"""Larger integers are no exact floating-point numbers."""
LENGTHS = {"translation": 3, "size": 3, "rotation": 4, "velocity": 2}


def read_results(path: str | Path, tokens: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The boxes of each sample, in the order of the file.

    Args:
        path: JSON file with ``results``: sample token -> list of boxes.
        tokens: the samples of the split; the file must hold these and no others.

    Raises:
        DataError: the file is missing, no result file, or of another split; or a box is faulty. Names the sample.
    """
    content = read_json(path)
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, dict):
        raise DataError(f"{path}: holds no results (a JSON object with 'results': sample token -> list of boxes)")
    unknown = [token for token in results if token not in set(tokens)]
    if unknown:
        raise DataError(f"{path}: sample {unknown[0]} is not in this split ({len(unknown)} of {len(results)} are not)")
    missing = [token for token in tokens if token not in results]
    if missing:
        advice = "a sample without detections needs an empty list"
        raise DataError(f"{path}: sample {missing[0]} is missing ({len(missing)} of {len(tokens)} are); {advice}")
    for token, boxes in results.items():
        fault = _fault_of_sample(token, boxes)
        if fault:
            raise DataError(f"{path}: sample {token}: {fault}")
    return results


def _fault_of_sample(token: str, boxes: Any) -> str | None:
    if not isinstance(boxes, list):
        return f"expected a list of boxes, got {type(boxes).__name__}"
    if len(boxes) > MAX_BOXES:
        return f"{len(boxes)} boxes; at most {MAX_BOXES} are allowed, keep those with the highest scores"
    for row, box in enumerate(boxes):
        fault = _fault_of_box(token, box) if isinstance(box, dict) else "is no JSON object"
        if fault:
            return f"box {row}: {fault}"
    return None


def _fault_of_box(token: str, box: dict[str, Any]) -> str | None:
    """What is wrong with a box, or None."""
    if box.get("sample_token") != token:
        return f"sample_token is {box.get('sample_token')!r}"
    for name, length in LENGTHS.items():
        if not _is_numbers(box.get(name), length, finite=name != "velocity"):
            return f"{name}: expected {length} finite numbers, got {box.get(name)!r}"
    if min(box["size"]) <= 0 or not any(box["rotation"]):
        return f"size {box['size']} must be positive and rotation {box['rotation']} not zero"
    if box.get("detection_name") not in CLASSES:
        return f"detection_name: {box.get('detection_name')!r} is none of {', '.join(CLASSES)}"
    if not _is_numbers([box.get("detection_score")], 1):
        return f"detection_score: expected a finite number, got {box.get('detection_score')!r}"
    return _fault_of_attribute(box.get("attribute_name"))


def _fault_of_attribute(name: Any) -> str | None:
    from nuscenes.eval.detection.constants import ATTRIBUTE_NAMES

    if name == "" or name in ATTRIBUTE_NAMES:
        return None
    return f"attribute_name: {name!r} is neither empty nor one of {', '.join(ATTRIBUTE_NAMES)}"


def _is_numbers(values: Any, length: int, finite: bool = True) -> bool:
    """Whether ``values`` is a list of so many numbers; those that need not be finite may be NaN, never infinite."""
    if not isinstance(values, list) or len(values) != length:
        return False
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in values):
        return False
    if any(isinstance(v, int) and abs(v) > LARGEST_INT for v in values):
        return False
    return all(math.isfinite(v) or (not finite and math.isnan(v)) for v in values)
