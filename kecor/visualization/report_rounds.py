"""The part of the report that tells of one round: what was picked, why, and how well the detector did."""

from __future__ import annotations

from typing import Any

from kecor.visualization import html
from kecor.visualization.run_folder import RoundRecord, RunRecord, number
from kecor.visualization.wording import counted, figure, info_rows, whole

SHOWN = 8
"""Picks of a round told at once; the others stand behind a line that opens."""


def round_section(record: RoundRecord, run: RunRecord) -> str:
    """HTML of one round."""
    trained = f"{counted(record.row['frames'], 'frame', 'frames')}, {counted(record.row['boxes'], 'box', 'boxes')}"
    parts = [f"<h2>Round {record.number}</h2>", html.paragraph(f"The detector was trained on {trained}.")]
    if record.selection is None:
        parts.append(
            html.paragraph("No frames were picked with it: the run ends here, or has come no further.", "note")
        )
    else:
        parts += _selection(record.selection, _true_total(record, run))
    if record.picture is not None:
        parts.append(html.picture(record.picture, f"Frames picked in round {record.number}, seen from above"))
    if record.metrics is not None:
        parts.append(html.collapsed("All results", _results(record.metrics, run)))
    return "\n".join(parts)


def _results(metrics: dict[str, Any], run: RunRecord) -> str:
    """HTML of a metrics.json: the tables of the run's metric."""
    parts = []
    for table in run.metric.tables(metrics):
        rows = [[figure(v) if isinstance(v, float) else v for v in row] for row in table.rows]
        parts += [html.paragraph(table.title, "note"), html.table(table.header, rows)]
    return "\n".join(parts)


def _true_total(record: RoundRecord, run: RunRecord) -> float | None:
    """True boxes of the frames picked in a round: the state knows them first, the next round's row later."""
    known = run.state.get("boxes") or []
    if record.number + 1 < len(known):
        return number(known[record.number + 1])
    following = [row for row in run.rows if number(row["round"]) == record.number + 1]
    return number(following[0].get("new_boxes")) if following else None


def _selection(selection: dict[str, Any], true_total: float | None) -> list[str]:
    ids, method = selection.get("ids") or [], str(selection.get("method", "the method"))
    true = selection.get("true_boxes")
    predicted = selection.get("predicted_boxes")
    total = sum(n for n in true if n is not None) if true else true_total
    text = f"With it, {method} picked {counted(len(ids), 'frame', 'frames')}"
    if predicted:
        text += f", in which it predicted {counted(sum(predicted), 'box', 'boxes')}"
    text += "." if total is None else f"; labelled, they hold {counted(total, 'box', 'boxes')}."
    columns: dict[str, list[Any]] = {
        "Pick": [*range(1, len(ids) + 1)],
        "Frame": ids,
        "Gain": [figure(g, 3) for g in selection.get("gains") or []],
    }
    if predicted:
        columns["Predicted boxes"] = [whole(n) for n in predicted]
    if true:
        columns["True boxes"] = [whole(n) for n in true]
    rows = [[cells[i] if i < len(cells) else None for cells in columns.values()] for i in range(len(ids))]
    parts = [html.paragraph(text)]
    if rows:
        parts.append(html.table(list(columns), rows[:SHOWN]))
    if rows[SHOWN:]:
        parts.append(html.collapsed(f"The other {len(rows) - SHOWN} picks", html.table(list(columns), rows[SHOWN:])))
    if selection.get("info"):
        rows = info_rows(selection["info"], selection.get("terms") or {})
        parts += ["<h3>Why these</h3>", html.table(["Number", "Value", "Meaning"], rows)]
    return parts
