"""Names, shapes and values of the arrays that describe a set of frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Kind:
    """Which types and values an array may have.

    Attributes:
        letters: the allowed values of ``dtype.kind``.
        words: the same in words, for error messages.
        is_valid: maps an array to a bool for each element.
        fault: what is wrong with an invalid element, for error messages.
    """

    letters: str
    words: str
    is_valid: Callable[[np.ndarray], np.ndarray]
    fault: str


def _between(low: float, high: float = np.inf) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: (values >= low) & (values <= high)


FLOATS = Kind("f", "floating-point numbers", np.isfinite, "is not finite")
NUMBERS = Kind("fiu", "numbers", np.isfinite, "is not finite")
TARGETS = Kind("fiub", "numbers", np.isfinite, "is not finite")
SHARES = Kind("f", "floating-point numbers", _between(0, 1), "is not in [0, 1]")
COUNTS = Kind("iu", "integers", _between(0), "is negative")
LABELS = Kind("iu", "integers", _between(0, 2**16 - 1), "is not a class number from 0 to 65535")
CLASSES = Kind("iu", "integers", _between(0, 127), "is not a class number from 0 to 127")
FLAGS = Kind("biu", "true and false, or integers 1 and 0", _between(0, 1), "is neither 0 nor 1")


@dataclass(frozen=True)
class Array:
    """The schema of one array.

    Attributes:
        axes: names of the axes; axes with the same name have the same length.
        kind: allowed types and values.
        partners: arrays that must be given with it.
    """

    axes: tuple[str, ...]
    kind: Kind
    partners: tuple[str, ...] = ()

    @property
    def shape(self) -> str:
        """The axes, formatted like a shape."""
        return f"({', '.join(self.axes)}{',' if len(self.axes) == 1 else ''})"


DETECTIONS = ("det_offsets", "det_boxes", "det_scores", "det_labels")

ARRAYS = {
    "roi_features": Array(("N", "R", "C"), FLOATS, ("roi_mask",)),
    "roi_mask": Array(("N", "R"), FLAGS),
    "roi_scores": Array(("N", "R"), SHARES, ("roi_mask",)),
    "roi_labels": Array(("N", "R"), CLASSES, ("roi_mask",)),
    "roi_logits": Array(("N", "R", "K"), FLOATS, ("roi_features", "roi_mask")),
    "pass_logits": Array(("N", "R", "P", "K"), FLOATS, ("roi_mask",)),
    "pass_boxes": Array(("N", "R", "P", "7"), FLOATS, ("roi_mask",)),
    "embedding": Array(("N", "D"), FLOATS),
    "targets": Array(("N", "R", "T"), TARGETS),
    "objects": Array(("N", "R"), FLAGS, ("roi_labels", "true_counts")),
    "true_counts": Array(("N", "classes"), COUNTS),
    "det_boxes": Array(("M", "7 or 4"), NUMBERS, DETECTIONS),
    "det_scores": Array(("M",), SHARES, DETECTIONS),
    "det_labels": Array(("M",), LABELS, DETECTIONS),
    "det_logits": Array(("M", "K"), NUMBERS, DETECTIONS),
    "det_n_points": Array(("M",), COUNTS, DETECTIONS),
    "det_offsets": Array(("N + 1",), COUNTS, DETECTIONS),
}
"""All arrays except ``ids`` (N,). Detections ``det_offsets[i]:det_offsets[i + 1]`` belong to frame i."""
