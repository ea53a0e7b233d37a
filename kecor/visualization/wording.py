"""How numbers are written and what each of them means, for readers who were not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kecor.visualization.run_folder import number

KERNEL = [
    (
        "Kernel",
        "How alike the selection takes any two frames to be: how much learning from one would change what a small "
        "network (the proxy) says of the other or, for kernels without one, how near their features lie.",
    ),
    (
        "Direction, spectrum",
        "Each direction is one way in which frames differ, strongest first. A spectrum that falls steeply means that a "
        "few ways explain nearly everything; a flat one, that every frame is its own kind.",
    ),
    (
        "Effective dimension",
        "How many directions stand out from the noise (sigma). It should grow while the labels bring new variety.",
    ),
    (
        "Change since the round before",
        "One minus the alignment of the kernels of two rounds on the same frames. It should fall as the detector "
        "settles; a kernel that keeps changing judges the picks of every round by another measure.",
    ),
    (
        "Alignment with the targets",
        "Whether frames the kernel takes for alike hold alike objects. Near 0, the variety it looks for has nothing to "
        "do with the objects.",
    ),
    (
        "Posterior variance",
        "How little a frame's answer follows from the frames labelled so far: 0 where it follows wholly.",
    ),
    (
        "Coding rate, entropy",
        "The two terms of the gain: new variety, and how mixed the predicted classes are. Where one is far larger in "
        "every round, or nearly all picks are those of entropy alone, the other does nothing.",
    ),
]
"""What the picture of the kernel shows, for a reader who sees one for the first time."""

GLOSSARY = [
    ("Frame", "One sweep of the LiDAR: all points of one turn of the sensor."),
    (
        "Labelled boxes",
        "3D boxes that were paid for: those in the frames labelled so far, the initial frames included.",
    ),
    ("Cost", "What these labels cost: the price of a frame times frames plus the price of a box times boxes."),
    (
        "AP",
        "Average precision in percent: the share of detections that are right, averaged over all levels of recall; "
        "100 means every object found and nothing else. A dash: no object of the class to find, or not measured.",
    ),
    ("Gain", "What a frame was worth to the selection method at the moment it was picked; comparable in one round."),
    ("Predicted boxes", "Boxes the detector saw in a frame before it was labelled."),
    ("Pool", "The frames not yet labelled; the pool stage runs the detector over them."),
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
