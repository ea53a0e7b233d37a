"""The rows of summary.csv: what each round had labelled, what that cost, and how well the detector then did."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kecor.active.state import STAGES, State
from kecor.config import Config
from kecor.files import read_json, write_text
from kecor.tables import format_table

METRICS = "metrics.json"
MODERATE = 1
VIEWS = ("3d", "bev")
NOTE = """AP in percent, R40, moderate. 3D: at the official overlaps (Car 0.7, others 0.5).
BEV loose: from above, at looser overlaps (Car 0.5, others 0.25).
frames and boxes: all that was labelled and paid for, the initial set included."""
Row = dict[str, Any]


def round_folder(work_dir: Path, number: int) -> Path:
    """The folder of one round."""
    return work_dir / f"round_{number:02d}"


def summary_rows(state: State, config: Config, work_dir: Path) -> list[Row]:
    """One row for each evaluated round; frames, boxes and cost add up from round 0, an AP that has no value is None.

    Raises:
        DataError: the metrics.json of an evaluated round is missing or damaged.
    """
    evaluated = [k for k, seconds in enumerate(state.seconds) if "evaluate" in seconds]
    return [_row(state, config, read_json(round_folder(work_dir, k) / METRICS), k) for k in evaluated]


def _row(state: State, config: Config, metrics: dict[str, Any], number: int) -> Row:
    frames = sum(len(ids) for ids in state.frames[: number + 1])
    boxes = sum(state.boxes[: number + 1])
    row: Row = {
        "round": number,
        "method": state.method,
        "seed": state.seed,
        "frames": frames,
        "boxes": boxes,
        "cost": config.active.cost_frame * frames + config.active.cost_box * boxes,
        "new_frames": len(state.frames[number]),
        "new_boxes": state.boxes[number],
    }
    for name in config.data.classes:
        for overlaps, ending in (("strict", ""), ("loose", "_loose")):
            for view in VIEWS:
                row[f"{name}_{view}{ending}"] = metrics[overlaps][name][view]["R40"][MODERATE]
    row.update({f"seconds_{stage}": state.seconds[number].get(stage) for stage in STAGES})
    return row


def write_summary(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as CSV, whole or not at all; None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def summary_table(rows: Sequence[Row], classes: Sequence[str]) -> str:
    """The rows as text: what was labelled, moderate R40 AP at strict and loose overlaps, seconds of each stage."""
    aps = [(f"{c}_{key}", f"{c} {name}") for c in classes for key, name in (("3d", "3D"), ("bev_loose", "BEV loose"))]
    columns = ["round", "frames", "boxes", *(key for key, _ in aps), *(f"seconds_{s}" for s in STAGES)]
    headers = ["round", "frames", "boxes", *(name for _, name in aps), *(f"{s} s" for s in STAGES)]
    table = format_table(headers, [[row[name] for name in columns] for row in rows])
    return f"{table}\n{NOTE}"
