"""How the report writes numbers, and the glossary that explains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kecor.visualization.run_folder import number

KERNEL = [
    (
        "Kernel",
        "How similar the selection considers two frames. The NTK kernels measure how much a gradient step on one frame "
        "changes the predictions of a small network (the proxy head) for the other; the others compare the frames' "
        "features.",
    ),
    (
        "Eigenvalue spectrum",
        "The share of the kernel's variance along each eigenvector (direction), largest first. A steep spectrum means "
        "that a few directions explain most differences between frames; a flat one, that all frames differ.",
    ),
    (
        "Effective dimension",
        "The number of directions with a variance above the noise (sigma squared), counted smoothly. It should grow as "
        "more diverse frames are labelled.",
    ),
    (
        "Change since the previous round",
        "1 - CKA (centred kernel alignment) between the kernels of two rounds on the same frames. It should decrease "
        "as the detector converges. If it stays high, each round measures similarity differently.",
    ),
    (
        "Target alignment",
        "How well similarity in the kernel predicts similarity of the objects in the frames: 1 is perfect. Near 0, "
        "diversity in the kernel is unrelated to the objects.",
    ),
    (
        "Posterior variance",
        "The variance of a frame's value in a Gaussian process with this kernel, given the labelled frames: 0 if they "
        "determine it completely.",
    ),
    (
        "Coding rate, entropy",
        "The two terms of the gain: how much a frame adds to the diversity of the selection, and how mixed its "
        "predicted classes are. If one term is much larger in every round, the other has no effect.",
    ),
]
"""The terms in the picture of the kernel."""

GLOSSARY = [
    ("Frame", "One LiDAR sweep: the points of one rotation of the sensor."),
    ("Labelled boxes", "The 3D boxes in all frames labelled so far, including the initial frames."),
    ("Cost", "The labelling cost: number of frames times the price of a frame, plus boxes times the price of a box."),
    (
        "AP",
        "Average precision in percent: precision averaged over recall levels. 100 means that every object is detected, "
        "without false positives. A dash means that there are no objects of the class, or that AP was not measured.",
    ),
    (
        "Gain",
        "How much a frame increased the objective of the selection method when it was picked. Gains of different "
        "methods or rounds are not comparable.",
    ),
    ("Predicted boxes", "The number of boxes expected in a frame before it is labelled."),
    ("Pool", "The unlabelled frames. The pool stage runs the detector on them."),
]


def figure(value: Any, digits: int = 1) -> str | None:
    """A number with ``digits`` decimals; None where there is none."""
    value = number(value)
    return None if value is None else f"{value:.{digits}f}"


def whole(value: Any) -> str | None:
    """A count with thousands marked; None where there is none."""
    value = number(value)
    return None if value is None else f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def growth(total: Any, new: Any) -> str | None:
    """A total and what was new in it: ``40 (+20)``."""
    text, added = whole(total), whole(new)
    return text if text is None or added is None else f"{text} (+{added})"


def counted(value: Any, noun: str, plural: str) -> str:
    """``1 frame``, ``20 frames``."""
    return f"{whole(value) or 'no'} {noun if number(value) == 1 else plural}"


def duration(value: Any) -> str | None:
    """Seconds as ``4.2 s``, ``3 min 05 s`` or ``2 h 10 min``; None where there are none."""
    value = number(value)
    if value is None:
        return None
    if round(value, 1) < 60:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes} min {seconds:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def info_rows(info: dict[str, Any], terms: Mapping[str, Sequence[str]]) -> list[list[str | None]]:
    """[name, value, meaning] of each entry; nested ones by the names of both, long lists by length and range.

    A ``probe``, the part of a kernel kept for the next round, is left out.

    Args:
        info: of a selection.
        terms: key -> its name and what it means; a key without an entry is shown as it is.
    """
    rows: list[list[str | None]] = []
    for key, value in info.items():
        title, meaning = terms.get(key, (key.replace("_", " "), None))
        if not isinstance(value, dict):
            rows.append([title, _value(value), meaning])
        elif key != "probe":
            rows += [[f"{title}: {name}", text, meaning] for name, text, meaning in info_rows(value, terms)]
    return rows


def _value(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None if value is None else "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        numbers = [n for n in map(number, value) if n is not None]
        if len(value) > 8:
            spread = f", {min(numbers):.4g} to {max(numbers):.4g}" if numbers else ""
            return f"{len(value)} values{spread}"
        return ", ".join(_value(item) or "none" for item in value)
    if isinstance(value, float):
        return None if number(value) is None else f"{value:.4g}"
    return str(value)
