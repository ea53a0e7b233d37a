"""The rows of summary.csv: what each round had labelled, what that cost, and how well the detector then did."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kecor import run_dir
from kecor.active.state import ROUND_STAGES, State
from kecor.config import Config
from kecor.evaluation import Metric, build_metric
from kecor.files import read_json, write_text
from kecor.tables import format_table

NOTE = "frames, boxes: everything labelled and paid for, the initial frames included."
Row = dict[str, Any]


def summary_rows(state: State, config: Config, work_dir: Path) -> list[Row]:
    """One row for each evaluated round; frames, boxes and cost accumulate from round 0; an AP without value is None.

    Raises:
        DataError: the metrics.json of an evaluated round is missing or damaged.
    """
    metric = build_metric(config.evaluation)
    evaluated = [k for k, seconds in enumerate(state.seconds) if "evaluate" in seconds]
    return [_row(state, config, metric, work_dir, k) for k in evaluated]


def _row(state: State, config: Config, metric: Metric, work_dir: Path, number: int) -> Row:
    frames = sum(len(ids) for ids in state.frames[: number + 1])
    boxes = sum(state.boxes[: number + 1])
    result = read_json(run_dir.round_dir(work_dir, number) / run_dir.METRICS)
    return {
        "round": number,
        "method": state.method,
        "seed": state.seed,
        "frames": frames,
        "boxes": boxes,
        "cost": config.active.cost_frame * frames + config.active.cost_box * boxes,
        "new_frames": len(state.frames[number]),
        "new_boxes": state.boxes[number],
        **_headline(metric, result, config.data.classes),
        **{f"seconds_{stage}": state.seconds[number].get(stage) for stage in ROUND_STAGES},
    }


def _headline(metric: Metric, result: dict[str, Any] | None, classes: Sequence[str]) -> dict[str, float | None]:
    if result is None:  # the validation split has no labels
        return {f"{name}_{quantity}": None for name in classes for quantity in metric.quantities}
    return metric.headline(result, classes)


def write_summary(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as CSV atomically; None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def summary_table(rows: Sequence[Row], config: Config) -> str:
    """The rows as text: what was labelled, the metric's numbers, seconds of each stage."""
    metric = build_metric(config.evaluation)
    names = {"round": "round", "frames": "frames", "boxes": "boxes"}
    for name in config.data.classes:
        names |= {f"{name}_{quantity}": f"{name} {title}" for quantity, title in metric.quantities.items()}
    names |= {f"seconds_{stage}": f"{stage} s" for stage in ROUND_STAGES}
    shown = [key for key in names if key in rows[0]]
    table = format_table([names[key] for key in shown], [[row[key] for key in shown] for row in rows])
    return f"{table}\n{metric.note}\n{NOTE}"
