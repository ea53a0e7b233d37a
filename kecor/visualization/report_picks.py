"""The picks of a round in the report: a picture of each, why it was picked, and a table of all."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from kecor import run_dir
from kecor.files import read_json
from kecor.visualization import html
from kecor.visualization.confidence import read_confidence
from kecor.visualization.frame_map import map_figure, read_map
from kecor.visualization.palette import VIEW_COLOURS, class_colours
from kecor.visualization.pick_views import bought, picture_path, read_view, view_path
from kecor.visualization.run_folder import RoundRecord, RunRecord
from kecor.visualization.wording import figure, whole

CHANGES = {"kept": "#009e73", "moved": "#56b4e9", "renamed": "#e69f00", "deleted": "#d55e00", "added": "#0072b2"}
"""What annotators do with boxes, and its colour."""


def picks_part(record: RoundRecord, run: RunRecord, drawn: Mapping[str, int]) -> list[str]:
    """HTML of the picks of a round.

    Args:
        record: a round with a selection.
        run: the run it belongs to.
        drawn: frames of the run that have a picture -> the round that shows it.
    """
    selection = record.selection or {}
    place = read_map(record)
    nearest = place["nearest"] if place else {}
    columns = _columns(selection, nearest)
    changes = _annotators(record)
    if changes:
        for kind in CHANGES:
            columns[kind.capitalize()] = [changes["frames"].get(i, {}).get(kind) for i in selection["ids"]]
    parts = _pictures(record, columns, nearest, drawn)
    if parts:
        parts = [
            _note(record),
            legend(run.config["data"]["classes"], (record.folder / run_dir.HANDED_OUT).is_file()),
            *parts,
        ]
    if place:
        parts += ["<h3>Where the picks lie</h3>", map_figure(place, record.number)]
    if changes:
        parts += _changes_bar(changes)
    rows = [list(row) for row in zip(*columns.values())]
    if rows:
        parts.append(html.table(list(columns), rows, caption=f"Picks of round {record.number}"))
    return parts


def first_frames_part(record: RoundRecord, run: RunRecord, drawn: Mapping[str, int]) -> list[str]:
    """HTML of frames that were labelled at the start, for those who look up a pick's neighbour."""
    pictures = _pictures(record, _columns(record.selection or {}, {}), {}, drawn)
    return [legend(run.config["data"]["classes"], False), *pictures] if pictures else []


def legend(classes: list[str], prelabels: bool) -> str:
    """HTML that says what colours and lines mean, in the pictures and in the 3D views."""
    colours = "".join(_key("fill", colour, name) for name, colour in class_colours(classes).items())
    lines = _key("fill", "currentColor", "true box") + _key(
        "dashed", "currentColor", "predicted box (fainter: less sure)"
    )
    views = "".join(
        _key("dash" if name == "pre-labels" else "line", colour, name)
        for name, colour in VIEW_COLOURS.items()
        if prelabels or name != "pre-labels"
    )
    return (
        f'<ul class="legend" aria-label="Legend of the pictures"><li>Picture:</li>{colours}{lines}</ul>'
        f'<ul class="legend" aria-label="Legend of the 3D views"><li>3D view:</li>{views}'
        "<li>point at a box, or tap it, for its class</li></ul>"
    )


def _key(kind: str, colour: str, text: str) -> str:
    return f'<li><span class="swatch {kind}" style="color:{colour}"></span>{escape(text)}</li>'


def _note(record: RoundRecord) -> str:
    """Which boxes the pictures show."""
    confidence = read_confidence(record)
    sure = confidence.caption() if confidence else "with a high score"
    return html.paragraph(
        "Bird's-eye views; the triangle is the sensor. Predicted boxes are those the detector found before the frame "
        f"was labelled, {sure}. The numbers of predicted boxes in the table do not depend on this threshold.",
        "note",
    )


def _columns(selection: dict[str, Any], nearest: dict[str, str]) -> dict[str, list[Any]]:
    """Title -> one value for each pick."""
    ids = selection.get("ids") or []
    columns: dict[str, list[Any]] = {"Pick": [*range(1, len(ids) + 1)], "Frame": ids}
    columns["Gain"] = [figure(gain, 3) for gain in selection.get("gains") or []]
    for title, values in zip(("Coding rate", "Entropy"), _gain_terms(selection)):
        columns[title] = [figure(value, 3) for value in values]
    for title, key in (("Predicted boxes", "predicted_boxes"), ("True boxes", "true_boxes")):
        if selection.get(key):
            columns[title] = [whole(n) for n in selection[key]]
    if nearest:
        columns["Nearest labelled"] = [nearest.get(i) for i in ids]
    return {title: [*cells, *[None] * len(ids)][: len(ids)] for title, cells in columns.items()}


def _gain_terms(selection: dict[str, Any]) -> list[list[float]]:
    """Both terms of the gain of each pick; none where the method does not tell, or tells of other picks."""
    info, gains = selection.get("info") or {}, selection.get("gains") or []
    terms = [info.get("rate_gains") or [], info.get("entropy_gains") or []]
    if not gains or any(len(values) != len(gains) for values in terms):
        return []
    return terms if np.allclose(np.sum(terms, axis=0), gains, atol=1e-6) else []


def _pictures(
    record: RoundRecord, columns: dict[str, list[Any]], nearest: dict[str, str], drawn: Mapping[str, int]
) -> list[str]:
    figures = []
    for row in range(len(columns["Frame"])):
        values = {title: cells[row] for title, cells in columns.items()}
        if drawn.get(values["Frame"]) == record.number:
            figures.append(_picture(record, values, nearest.get(values["Frame"]), drawn))
    if not figures:
        return []
    return [f'<div class="picks">{"".join(figures)}</div>']


def _picture(record: RoundRecord, values: dict[str, Any], nearest: str | None, drawn: Mapping[str, int]) -> str:
    frame_id = values["Frame"]
    view = read_view(record, frame_id) or {}
    true, predicted = (_by_class(view.get(kind) or []) for kind in ("true", "predicted"))
    if frame_id not in bought(record):
        true = "not labelled yet"
    text = f"Frame {frame_id} from above; true boxes: {true}; predicted: {predicted}"
    title = f"{values['Pick']}. {escape(frame_id)}" if record.number >= 0 else escape(frame_id)
    why = f"gain {values['Gain']}" if values["Gain"] else ""
    if "Coding rate" in values:
        why += f" = {values['Coding rate']} coding rate + {values['Entropy']} entropy"
    lines = [f"<b>{title}</b> {why}", f"true: {escape(true)}"]
    if record.number >= 0:
        lines.append(f"predicted: {escape(predicted)}")
    if nearest:
        name = escape(nearest)
        lines.append("nearest labelled: " + (f'<a href="#pick-{name}">{name}</a>' if nearest in drawn else name))
    data = base64.b64encode(view_path(record, frame_id).read_bytes()).decode("ascii")
    anchor = escape(frame_id)
    return (
        f'<figure class="pick" id="pick-{anchor}">'
        f"{html.picture(picture_path(record, frame_id), text)}<figcaption>{'<br>'.join(lines)}</figcaption>"
        f'<button type="button" data-view="view-{anchor}" aria-expanded="false">Show in 3D</button>'
        f'<div class="view" role="img" aria-label="Frame {anchor} in 3D" hidden></div>'
        f'<script type="text/plain" id="view-{anchor}">{data}</script></figure>'
    )


def _by_class(rows: list[list[Any]]) -> str:
    counts = Counter(row[0] for row in rows)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _annotators(record: RoundRecord) -> dict[str, Any] | None:
    path = record.folder / run_dir.ANNOTATORS
    return read_json(path) if path.is_file() else None


def _changes_bar(changes: dict[str, Any]) -> list[str]:
    """What annotators did with the boxes they began with, as a bar and in words."""
    counts = {kind: changes["total"].get(kind, 0) for kind in CHANGES}
    text = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    bar = "".join(f'<div style="flex:{n} 0 0;background:{CHANGES[kind]}"></div>' for kind, n in counts.items())
    keys = " ".join(
        f'<span class="key" style="background:{CHANGES[kind]}"></span>{count} {kind}' for kind, count in counts.items()
    )
    late = changes.get("postponed") or []
    parts = [
        "<h3>What the annotators changed</h3>",
        f'<figure><div class="bar" role="img" aria-label="Boxes: {escape(text)}">{bar}</div>'
        f"<figcaption>Boxes {keys}, against the boxes the annotators began with.</figcaption></figure>",
    ]
    return [*parts, html.paragraph(f"Not labelled, back in the pool: {', '.join(late)}.")] if late else parts
