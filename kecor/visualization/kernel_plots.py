"""Diagnostics of the kernel, as one figure: its spectrum, its alignment with the targets, its effect on the picks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from kecor.files import write_atomic
from kecor.visualization.palette import COLOURS, MARKERS
from kecor.visualization.run_folder import RunRecord, number

Rounds = Mapping[int, Mapping[str, Any]]
SHADES = matplotlib.colormaps["viridis"]
SMALLEST_SHARE = 1e-6
"""Shares of the spectrum below this are not shown: what a kernel in float32 holds there is rounding."""


@dataclass(frozen=True)
class Panel:
    """One plot: ``series`` are the keys it shows and what each is called in its legend."""

    title: str
    series: Mapping[str, str]
    draw: Callable[[Axes, Rounds, Mapping[str, str]], None]


def kernel_rounds(run: RunRecord) -> dict[int, dict[str, Any]]:
    """Round -> the entries of its ``info`` and of the ``diagnostics`` in it; rounds without a kernel are left out."""
    found = {}
    for record in run.rounds:
        info = (record.selection or {}).get("info") or {}
        diagnostics = info.get("diagnostics")
        if isinstance(diagnostics, dict) and diagnostics.get("eigenvalues"):
            found[record.number] = {**info, **diagnostics}
    return found


def write_kernel(rounds: Rounds, path: str | Path) -> None:
    """Save the picture as a PNG, whole or not at all; plots of which no round has a number are left out.

    Args:
        rounds: what :func:`kernel_rounds` gives; not empty.
        path: where to.
    """
    rows = [(title, [panel for panel in panels if _told(rounds, panel)]) for title, panels in ROWS]
    rows = [(title, panels) for title, panels in rows if panels]
    figure = Figure(figsize=(13, 3.7 * len(rows) + 0.4), dpi=110)
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
    strips = figure.subfigures(len(rows), squeeze=False)[:, 0]
    for strip, (title, panels) in zip(strips, rows):
        strip.suptitle(title, fontsize=12.5, fontweight="bold", x=0.008, ha="left")
        for ax, panel in zip(strip.subplots(1, len(panels), squeeze=False)[0], panels):
            ax.set_title(panel.title, fontsize=10.5)
            ax.grid(alpha=0.25)
            ax.set_axisbelow(True)
            ax.spines[["top", "right"]].set_visible(False)
            panel.draw(ax, rounds, panel.series)
    handles = [Line2D([], [], color=shade, lw=2.5, label=f"round {n}") for n, shade in _shades(rounds).items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(10, len(handles)), fontsize=9, frameon=False)
    write_atomic(path, lambda stream: figure.savefig(stream, format="png"))


def _told(rounds: Rounds, panel: Panel) -> bool:
    return any(np.isfinite(_numbers(info.get(key))).any() for info in rounds.values() for key in panel.series)


def _numbers(value: Any) -> np.ndarray:
    """(n,) values of a list, (1,) of anything else; NaN where there is no number."""
    found = [number(item) for item in (value if isinstance(value, list) else [value])]
    return np.array([np.nan if item is None else item for item in found])


def _shades(rounds: Rounds) -> dict[int, tuple[float, float, float, float]]:
    """A colour for each round, darker to lighter."""
    return {n: SHADES(0.85 * i / max(1, len(rounds) - 1)) for i, n in enumerate(rounds)}


def _by_round(ax: Axes, rounds: Rounds, series: Mapping[str, str]) -> None:
    """A line for each key over the rounds."""
    for (key, label), colour, marker in zip(series.items(), COLOURS, MARKERS):
        values = [_numbers(info.get(key))[0] for info in rounds.values()]
        ax.plot(list(rounds), values, marker=marker, color=colour, lw=1.8, ms=6, label=label)
    _round_axis(ax, rounds)
    ax.set_ylim(0, 1.05 * ax.get_ylim()[1])
    if len(series) > 1:
        ax.legend(fontsize=8.5)


def _share_by_round(ax: Axes, rounds: Rounds, series: Mapping[str, str]) -> None:
    """The same between 0 and 1."""
    _by_round(ax, rounds, series)
    ax.set_ylim(-0.03, 1.03)


def _bars(ax: Axes, rounds: Rounds, series: Mapping[str, str]) -> None:
    """A group of bars for each round, one a key."""
    width = 0.8 / len(series)
    for i, ((key, label), colour) in enumerate(zip(series.items(), COLOURS)):
        heights = [_numbers(info.get(key))[0] for info in rounds.values()]
        ax.bar(np.array(list(rounds)) + (i - (len(series) - 1) / 2) * width, heights, width, color=colour, label=label)
    _round_axis(ax, rounds)
    ax.set_ylim(0, 1.25 * ax.get_ylim()[1])  # room for the legend
    ax.legend(fontsize=8.5, loc="upper right")
    ax.set_ylabel("sum over the picks (nats)", fontsize=9)


def _round_axis(ax: Axes, rounds: Rounds) -> None:
    ax.set_xlabel("round", fontsize=9)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlim(min(rounds) - 0.5, max(rounds) + 0.5)


def _curves(ax: Axes, rounds: Rounds, series: Mapping[str, str], places: Callable[[int], np.ndarray]) -> None:
    """A line for each round through the list it has under the one key; ``places`` are those of n values."""
    (key,) = series
    for n, shade in _shades(rounds).items():
        values = _numbers(rounds[n].get(key))
        marker = "." if len(values) <= 40 else None
        ax.plot(places(len(values)), values, color=shade, lw=1.6, marker=marker)


def _spectrum(ax: Axes, rounds: Rounds, series: Mapping[str, str]) -> None:
    _curves(ax, rounds, series, lambda n: np.arange(1, n + 1))
    ax.set_xscale("log")
    ax.set_yscale("log", nonpositive="mask")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    ax.set_ylim(bottom=max(SMALLEST_SHARE, ax.get_ylim()[0]))
    ax.set_xlabel("eigenvector, largest eigenvalue first", fontsize=9)
    ax.set_ylabel("share of the variance", fontsize=9)


def _leading(ax: Axes, rounds: Rounds, series: Mapping[str, str]) -> None:
    _curves(ax, rounds, series, lambda n: np.arange(1, n + 1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("leading eigenvectors used", fontsize=9)
    ax.set_ylabel("share of the targets explained", fontsize=9)


def _losses(ax: Axes, rounds: Rounds, series: Mapping[str, str]) -> None:
    _curves(ax, rounds, series, lambda n: np.linspace(0, 100, n))
    ax.set_yscale("log", nonpositive="mask")
    ax.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    ax.set_xlabel("training progress", fontsize=9)
    ax.set_ylabel("squared error", fontsize=9)


ROWS = [
    (
        "Similarity of frames",
        [
            Panel("Eigenvalue spectrum", {"eigenvalues": ""}, _spectrum),
            Panel("Effective dimension", {"effective_dimension": ""}, _by_round),
            Panel("Change since the previous round (1 - CKA)", {"drift": ""}, _by_round),
        ],
    ),
    (
        "Relation to the objects",
        [
            Panel(
                "Target alignment (1: perfect)",
                {"target_alignment": "centred", "label_gradient_alignment": "label-gradient"},
                _share_by_round,
            ),
            Panel("Targets explained by leading eigenvectors", {"leading_alignment": ""}, _leading),
            Panel("Training loss of the proxy head", {"proxy_losses": ""}, _losses),
        ],
    ),
    (
        "Effect on the selection",
        [
            Panel(
                "Mean posterior variance in the pool",
                {"variance_before": "before the picks", "variance_after": "after the picks"},
                _by_round,
            ),
            Panel(
                "Gain of the picks by term",
                {"rate_gain_sum": "coding rate", "entropy_gain_sum": "entropy"},
                _bars,
            ),
            Panel("Overlap with the picks of entropy alone", {"overlap_with_top_entropy": ""}, _share_by_round),
        ],
    ),
]
