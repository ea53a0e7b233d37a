"""Learning curves: average precision (AP) against what the labels cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kecor.evaluation.base import Panel
from kecor.files import write_atomic
from kecor.visualization.palette import COLOURS, MARKERS, class_colours
from kecor.visualization.run_folder import number

AXES = {"boxes": "labelled boxes", "frames": "labelled frames"}


def draw_curves(ax: Axes, runs: Mapping[str, Sequence[Mapping[str, Any]]], metric: str, x: str = "boxes") -> None:
    """Overlay one column of several runs.

    Args:
        ax: where to draw.
        runs: name of a run -> the rows of its summary.csv; a missing or NaN value leaves a gap.
        metric: a column of summary.csv, such as ``Car_3d``.
        x: the column of the horizontal axis, ``boxes`` or ``frames``.

    Raises:
        ValueError: another ``x``, or a run without the column ``metric``.
    """
    if x not in AXES:
        raise ValueError(f"x: {x!r} is none of {', '.join(AXES)}")
    for i, (name, rows) in enumerate(runs.items()):
        if rows and metric not in rows[0]:
            raise ValueError(f"run {name!r} has no column {metric!r}; it has {', '.join(rows[0])}")
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        ax.plot(_column(rows, x), _column(rows, metric), marker=marker, color=colour, label=name, lw=1.8, ms=5)
    ax.set_xlabel(AXES[x])
    ax.set_ylabel("AP (%)")
    ax.grid(alpha=0.25)
    if runs:
        ax.legend(fontsize=9)


def write_curve(
    rows: Sequence[Mapping[str, Any]], path: str | Path, classes: Sequence[str], panels: Sequence[Panel]
) -> None:
    """Save the learning curve of one run as a PNG: the quantities of ``panels`` against labelled boxes.

    The upper axis shows the labelled frames of each round.
    """
    figure = Figure(figsize=(11, 4.6), dpi=120, layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, panel in zip(axes, panels):
        _panel(ax, rows, panel, classes)
        ax.set_title(panel.title, fontsize=12)
    axes[0].set_ylabel("AP (%)")
    top = max(5.0, axes[0].get_ylim()[1])  # a detector that finds nothing yet lies on the floor, and is seen there
    axes[0].set_ylim(-0.02 * top, top)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=max(1, len(labels)), fontsize=9, frameon=False)
    write_atomic(path, lambda stream: figure.savefig(stream, format="png"))


def _panel(ax: Axes, rows: Sequence[Mapping[str, Any]], panel: Panel, classes: Sequence[str]) -> None:
    boxes = _column(rows, "boxes")
    for (name, colour), marker in zip(class_colours(classes).items(), MARKERS * len(classes)):
        label = f"{name}, {panel.solid_label}" if panel.solid_label else name
        ax.plot(boxes, _column(rows, f"{name}_{panel.solid}"), color=colour, marker=marker, ms=5, lw=2.0, label=label)
        if panel.dotted:
            values = _column(rows, f"{name}_{panel.dotted}")
            (line,) = ax.plot(boxes, values, color=colour, marker=marker, ms=5, label=panel.dotted_label)
            line.set(linewidth=1.3, linestyle=":", markerfacecolor="white")
    ax.set_xlabel(AXES["boxes"])
    ax.grid(alpha=0.25)
    ax.spines[["right"]].set_visible(False)
    upper = ax.secondary_xaxis("top")
    shown = _apart(boxes)
    frames = _column(rows, "frames")
    upper.set_xticks(boxes[shown], [f"{n:.0f}" for n in frames[shown]], fontsize=8)
    upper.set_xlabel(AXES["frames"], fontsize=9)


def _apart(values: np.ndarray) -> list[int]:
    """Positions of finite values that stand at least a twelfth of their span apart, so that labels do not collide."""
    finite = [i for i in np.argsort(values, kind="stable") if np.isfinite(values[i])]
    span = values[finite[-1]] - values[finite[0]] if finite else 0.0
    chosen: list[int] = []
    for i in finite:
        if not chosen or values[i] - values[chosen[-1]] > span / 12:
            chosen.append(i)
    return chosen


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """(R,) float64 values of a column; NaN where it is missing."""
    values = [number(row.get(name)) for row in rows]
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
