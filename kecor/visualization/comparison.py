"""Methods side by side: learning curves over seeds, and the page that tells what they say."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kecor import run_dir
from kecor.files import write_atomic, write_text
from kecor.tables import format_table
from kecor.visualization import html
from kecor.visualization.curves import draw_curves
from kecor.visualization.palette import COLOURS, INK
from kecor.visualization.run_folder import number
from kecor.visualization.wording import GLOSSARY

Rows = Sequence[Mapping[str, Any]]
STYLES = ("-", "--", ":", "-.")

TERMS = [
    (
        "Method, seed",
        "Each method was run once with each seed. With one seed all have the same first frames and weights.",
    ),
    (
        "Mean, sd",
        "The mean over seeds, and the standard deviation: how far one run lies from the mean. It does not shrink with "
        "more seeds.",
    ),
    (
        "mean_3d, mean_bev, mean_3d_loose, mean_bev_loose",
        "The mean over classes of the 3D or bird's-eye AP at official or looser overlaps. A class of which there is no "
        "object to find has no AP and is left out.",
    ),
    (
        "Boxes, or frames, needed to reach an AP",
        "Where a run's curve first comes to this AP, on straight lines between its rounds. A run that starts above it "
        "counts with what it started from.",
    ),
    (
        "95 % from, to",
        "Percentile bootstrap over seeds. Few seeds make it too narrow: it never leaves the range of what they gave.",
    ),
    (
        "AP at equal cost",
        "The mean height of a run's curve over the range of boxes, or frames, that all runs cover: the AP it had on "
        "average while these were bought.",
    ),
    (
        "Minus that of random",
        "The difference of two runs of one seed, so that what the first frames and weights bring cancels out.",
    ),
    (
        "p",
        "How often a difference at least as large would come about by the luck of its signs, were the method no other "
        "than random. Corrected: raised for the number of methods that were tried.",
    ),
]
"""What the tables of a comparison show."""


@dataclass(frozen=True)
class Table:
    """A titled table; cells are numbers, texts or None; ``notes`` stand below it."""

    title: str
    headers: list[str]
    rows: list[list[Any]]
    notes: list[str]

    def text(self) -> str:
        """For a terminal or a log."""
        return "\n".join([self.title, format_table(self.headers, self.rows), *self.notes])

    def html(self) -> list[str]:
        """For a page."""
        rows = [[f"{cell:.2f}" if isinstance(cell, float) else cell for cell in row] for row in self.rows]
        notes = (html.paragraph(note, "note") for note in self.notes)
        return [f"<h2>{escape(self.title)}</h2>", html.table(self.headers, rows), *notes]


def write_curves(runs: Mapping[str, Mapping[int, Rows]], metric: str, target: float, path: str | Path) -> None:
    """Save a PNG: AP against boxes and against frames; thick the mean over seeds, thin every seed.

    Args:
        runs: method -> seed -> the rows of its summary.csv.
        metric: the column of the AP. target: an AP to mark.
        path: where to write.
    """
    figure = Figure(figsize=(12, 5), dpi=120, layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, x in zip(axes, ("boxes", "frames")):
        draw_methods(ax, runs, metric, x)
        ax.axhline(target, color=INK, lw=0.8, ls=(0, (1, 3)))
    axes[0].set_ylabel(f"{metric}, AP (%), R40, moderate")
    axes[1].set_ylabel("")
    handles, labels = axes[0].get_legend_handles_labels()
    for ax in axes:
        ax.get_legend().remove()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)), fontsize=9, frameon=False)
    write_atomic(path, lambda stream: figure.savefig(stream, format="png"))


def draw_methods(ax: Axes, runs: Mapping[str, Mapping[int, Rows]], metric: str, x: str) -> None:
    """Mean curves over the rounds that every seed of a method came to, and behind each the curves of its seeds."""
    means = {method: _mean_rows(list(seeds.values()), (x, metric)) for method, seeds in runs.items()}
    draw_curves(ax, means, metric, x)
    for i, (line, seeds) in enumerate(zip(list(ax.lines), runs.values())):
        line.set(linestyle=STYLES[i // len(COLOURS) % len(STYLES)])
        for rows in seeds.values():
            xs, ys = ([_value(row, name) for row in rows] for name in (x, metric))
            ax.plot(xs, ys, color=line.get_color(), lw=0.8, alpha=0.45, zorder=1)
    ax.spines[["top", "right"]].set_visible(False)


def write_comparison(
    path: Path,
    methods: Sequence[str],
    said: Sequence[str],
    picture: Path,
    tables: Sequence[Table],
    folders: Sequence[tuple[str, Path]],
) -> None:
    """Write the page: what can be ``said``, the ``picture``, the ``tables`` and where each run lies."""
    title = f"Methods compared: {', '.join(methods)}"
    parts = [f"<header><h1>{escape(title)}</h1>", *(html.paragraph(text, "lead") for text in said), "</header>"]
    parts += ["<h2>Accuracy by number of labelled boxes</h2>"]
    parts.append(html.picture(picture, "Average precision against labelled boxes and frames, by method"))
    parts.append(html.paragraph("Thick: the mean over seeds. Thin: one seed each. Dotted: the AP to reach.", "note"))
    for table in tables:
        parts += table.html()
    parts += ["<h2>What the numbers mean</h2>", html.definitions([*TERMS, *GLOSSARY])]
    parts += ["<h2>Runs</h2>", _runs(folders, path.parent)]
    write_text(path, html.page(title, parts))


def _runs(folders: Sequence[tuple[str, Path]], here: Path) -> str:
    """A list of the runs, each with a link to its own report where it has one."""
    lines = []
    for name, folder in folders:
        place = escape(os.path.relpath(folder, here))
        found = (folder / run_dir.REPORT).is_file()
        link = f'<a href="{place}/{run_dir.REPORT}"><code>{place}</code></a>' if found else f"<code>{place}</code>"
        lines.append(f"<dt>{escape(name)}</dt><dd>{link}</dd>\n")
    place = f"<p>In <code>{escape(str(here.resolve()))}</code>; all rows stand in <code>compare.csv</code>.</p>"
    return f"{place}<dl>{''.join(lines)}</dl>"


def _mean_rows(runs: Sequence[Rows], columns: Sequence[str]) -> list[dict[str, float]]:
    """Means over ``runs`` of each round that all of them have."""
    return [{name: float(np.mean([_value(row, name) for row in rows])) for name in columns} for rows in zip(*runs)]


def _value(row: Mapping[str, Any], name: str) -> float:
    value = number(row.get(name))
    return np.nan if value is None else value
