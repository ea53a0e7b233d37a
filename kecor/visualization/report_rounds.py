"""The part of the report that tells of one round: what was picked, why, and how well the detector did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kecor import run_dir
from kecor.errors import DataError
from kecor.visualization import html
from kecor.visualization.report_picks import picks_part
from kecor.visualization.run_folder import RoundRecord, RunRecord, number
from kecor.visualization.wording import counted, figure, info_rows


def round_section(record: RoundRecord, run: RunRecord, drawn: Mapping[str, int]) -> str:
    """HTML of one round; ``drawn``: frames of the run that have a picture -> the round that shows it."""
    trained = f"{counted(record.row['frames'], 'frame', 'frames')}, {counted(record.row['boxes'], 'box', 'boxes')}"
    parts = [html.paragraph(f"The detector was trained on {trained}.")]
    if record.selection is None:
        parts.append(
            html.paragraph("No frames were picked with it: the run ends here, or has come no further.", "note")
        )
    else:
        parts += [_sentence(record.selection, _true_total(record, run)), *picks_part(record, run, drawn)]
        if record.selection.get("info"):
            rows = info_rows(record.selection["info"], record.selection.get("terms") or {})
            parts += ["<h3>Why these</h3>", html.table(["Number", "Value", "Meaning"], rows)]
    if record.metrics is not None:
        parts.append(html.collapsed("All results", _results(record.metrics, record.folder / run_dir.METRICS, run)))
    return html.section(f"round-{record.number}", f"Round {record.number}", parts)


def _results(metrics: dict[str, Any], path: Path, run: RunRecord) -> str:
    """HTML of the metrics.json at ``path``: the tables of the run's metric."""
    parts = []
    try:
        tables = run.metric.tables(metrics)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(
            f"{path}: is damaged ({type(error).__name__}: {error}); evaluate the checkpoint beside it again"
        ) from error
    for table in tables:
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


def _sentence(selection: dict[str, Any], true_total: float | None) -> str:
    ids, method = selection.get("ids") or [], str(selection.get("method", "the method"))
    true = selection.get("true_boxes")
    predicted = selection.get("predicted_boxes")
    total = sum(n for n in true if n is not None) if true else true_total
    text = f"With it, {method} picked {counted(len(ids), 'frame', 'frames')}"
    if predicted:
        text += f", in which it predicted {counted(sum(predicted), 'box', 'boxes')}"
    late = sum(n is None for n in true) if true else 0
    those = f"the {len(ids) - late} labelled so far" if late else "labelled, they"
    text += "." if total is None else f"; {those} hold {counted(total, 'box', 'boxes')}."
    return html.paragraph(f"{text} {_expectation(selection)}".strip())


def _expectation(selection: dict[str, Any]) -> str:
    """Expected boxes against true ones: of the labelled frames, and of the picks once they are bought."""
    info, bought = (selection.get("info") or {}).get("calibration") or {}, selection.get("bought") or {}
    parts = []
    if info.get("expected_mean"):
        parts.append(_compared("labelled frames", sum(info["expected_mean"]), sum(info["true_mean"]), info))
    if bought:
        parts.append(_compared("picks", bought["predicted_mean"], bought["true_mean"], bought))
    return f"Expected boxes a frame: {'; '.join(parts)}." if parts else ""


def _compared(frames: str, expected: float, true: float, info: dict[str, Any]) -> str:
    related = info.get("correlation")
    text = f"{figure(expected, 1)} where {figure(true, 1)} are true in the {frames}"
    return text if related is None else f"{text} (correlation {figure(related, 2)})"
