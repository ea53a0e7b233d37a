"""Bird's-eye pictures of frames: points, ground-truth boxes and predicted boxes, seen from above.

The page's vertical axis is x (forward, upwards), its horizontal axis is y (left, leftwards), both in metres, so a
corner ``(x, y)`` of a box lies at data coordinates ``(y, x)`` on an inverted horizontal axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from kecor.files import write_atomic
from kecor.geometry.boxes import bev_corners
from kecor.structures import Detections, Frame
from kecor.visualization.palette import INK, class_colours

MAX_PICKS = 8
CELL = 0.1
"""Side in metres of the cells of which only the highest point is drawn: what one would see from above."""
HEIGHTS = (-4.5, 1.0)
"""Heights in metres (the sensor is at 0) drawn white and black: the ground, at about -1.7, is grey, tall things dark.
Greys leave the colours to the classes."""
TICK = 0.8
"""How far in metres a heading tick reaches beyond the front of its box."""
FILL = 0.45
"""Opacity of a labelled box."""


def draw_frame(
    ax: Axes, frame: Frame, detections: Detections | None, classes: Sequence[str], legend: bool = True
) -> None:
    """Draw one frame from above: points (darker is higher), ground truth filled, predictions outlined, colour is class.

    A tick points where a box is heading; predictions fade with their score. ``detections.labels`` index ``classes``.

    Raises:
        ValueError: detections that are not 3D, or a label outside ``classes``; names the frame.
    """
    colours = class_colours(classes)
    points = top_points(frame.points)
    low, high = HEIGHTS
    ax.scatter(points[:, 1], points[:, 0], c=points[:, 2], s=0.8, linewidths=0, cmap="Greys", vmin=low, vmax=high)
    truth = [colours.get(str(name), INK) for name in frame.names]
    _add_boxes(ax, frame.boxes, [(*to_rgba(c)[:3], 1.0) for c in truth], predicted=False)
    if detections is not None:
        _check(frame, detections, classes)
        fade = 0.3 + 0.7 * np.clip(detections.scores, 0, 1)
        shades = [(*to_rgba(colours[classes[k]])[:3], float(a)) for k, a in zip(detections.labels, fade)]
        _add_boxes(ax, detections.boxes, shades, predicted=True)
    _set_view(ax, points, frame, detections)
    if legend:
        ax.legend(
            handles=legend_handles(classes, detections is not None), loc="upper right", fontsize=8, framealpha=0.9
        )


def draw_picks(
    frames: Sequence[tuple[Frame, Detections | None, str]], path: str | Path, classes: Sequence[str]
) -> None:
    """Save a grid of the first :data:`MAX_PICKS` ``(frame, detections, title)`` as a PNG, whole or not at all.

    An empty list writes nothing.
    """
    shown = list(frames)[:MAX_PICKS]
    if not shown:
        return
    columns = min(4, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(4.0 * columns, 4.3 * rows + 0.5), dpi=100, layout="constrained")
    for position, (frame, detections, title) in enumerate(shown, 1):
        ax = figure.add_subplot(rows, columns, position)
        draw_frame(ax, frame, detections, classes, legend=False)
        ax.set_title(title, fontsize=10, parse_math=False)
    handles = legend_handles(classes, any(d is not None for _, d, _ in shown))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 2 * columns), fontsize=9)
    write_atomic(path, lambda stream: figure.savefig(stream, format="png"))


def write_frame(path: str | Path, frame: Frame, detections: Detections | None, classes: Sequence[str]) -> None:
    """Save a large picture of one frame as a PNG, whole or not at all."""
    figure = Figure(figsize=(9, 9), dpi=130, layout="constrained")
    ax = figure.add_subplot()
    draw_frame(ax, frame, detections, classes)
    ax.set_title(f"frame {frame.frame_id}", parse_math=False)
    write_atomic(path, lambda stream: figure.savefig(stream, format="png"))


def write_pick(path: str | Path, frame: Frame, detections: Detections | None, classes: Sequence[str]) -> None:
    """Save a small picture of one frame, without title and legend, as a PNG of few colours, whole or not at all."""
    figure = Figure(figsize=(4, 4), dpi=120)
    draw_frame(figure.add_axes((0.12, 0.1, 0.87, 0.88)), frame, detections, classes, legend=False)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    image = Image.open(drawn).convert("RGB").quantize(128)
    write_atomic(path, lambda stream: image.save(stream, format="png", optimize=True))


def top_points(points: np.ndarray) -> np.ndarray:
    """(N, 3+) points -> (K, 3): the highest finite one of each :data:`CELL` x :data:`CELL` column, lowest first.

    Thins the crowded foreground and keeps every far return; drawn in this order, high points cover low ones.
    """
    points = np.asarray(points, np.float64)[:, :3]
    points = points[np.isfinite(points).all(1)]
    points = points[np.argsort(-points[:, 2], kind="stable")]
    cells = np.floor(points[:, :2] / CELL).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    return points[np.sort(first)][::-1]


def legend_handles(classes: Sequence[str], predictions: bool) -> list[Patch | Line2D]:
    """What the colours and lines mean, for a legend."""
    handles: list[Patch | Line2D] = [Patch(color=c, label=name) for name, c in class_colours(classes).items()]
    handles.append(Patch(facecolor=(*to_rgba(INK)[:3], FILL), label="labelled box"))
    if predictions:
        handles.append(
            Patch(facecolor="none", edgecolor=INK, lw=1.5, ls="--", label="predicted box (fainter: less sure)")
        )
    handles.append(Line2D([], [], color="0.4", marker=".", ls="", label="LiDAR point (darker: higher)"))
    handles.append(Line2D([], [], color=INK, marker="^", ls="", label="sensor"))
    return handles


def _check(frame: Frame, detections: Detections, classes: Sequence[str]) -> None:
    labels = np.asarray(detections.labels)
    if len(detections) and np.asarray(detections.boxes).shape[1] != 7:
        shape = np.asarray(detections.boxes).shape
        raise ValueError(f"frame {frame.frame_id}: boxes of shape {shape}; a bird's-eye view needs (K, 7)")
    if len(labels) and (labels.min() < 0 or labels.max() >= len(classes)):
        raise ValueError(f"frame {frame.frame_id}: a label lies outside 0..{len(classes) - 1} ({', '.join(classes)})")


def _add_boxes(ax: Axes, boxes: np.ndarray, colours: list[tuple], predicted: bool) -> None:
    if not len(boxes):
        return
    boxes = np.asarray(boxes, np.float64)
    outlines = bev_corners(boxes)[:, :, ::-1]
    forward = np.stack([np.sin(boxes[:, 6]), np.cos(boxes[:, 6])], axis=1)
    centre = boxes[:, [1, 0]]
    ticks = np.stack([centre, centre + forward * (boxes[:, 3:4] / 2 + TICK)], axis=1)
    width, line = (1.2, "--") if predicted else (1.8, "-")
    faces = "none" if predicted else [(*c[:3], FILL) for c in colours]
    ax.add_collection(
        PolyCollection(list(outlines), facecolors=faces, edgecolors=colours, linewidths=width, linestyles=line)
    )
    ax.add_collection(LineCollection(list(ticks), colors=colours, linewidths=1.2))


def _set_view(ax: Axes, points: np.ndarray, frame: Frame, detections: Detections | None) -> None:
    """A square view that holds nearly all points and all of every box, equal scales, labelled axes."""
    spans = [np.zeros((1, 2))]  # the sensor
    if len(points):
        spans.append(np.percentile(points[:, :2], [0.5, 99.5], axis=0))
    for boxes in [frame.boxes] if detections is None else [frame.boxes, detections.boxes]:
        if len(boxes):
            corners = bev_corners(np.asarray(boxes)).reshape(-1, 2)
            spans.append(np.stack([corners.min(0), corners.max(0)]))
    edges = np.concatenate(spans)
    low, high = edges.min(0), edges.max(0)
    middle, half = (low + high) / 2, (high - low).max() / 2 + 2
    ax.set_xlim(middle[1] + half, middle[1] - half)
    ax.set_ylim(middle[0] - half, middle[0] + half)
    ax.set_aspect("equal")
    ax.set_xlabel("y, left (m)", fontsize=8)
    ax.set_ylabel("x, forward (m)", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.plot(0, 0, marker="^", color=INK, markersize=6)
