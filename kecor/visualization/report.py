"""The report of an active-learning run: ``report.html``, one self-contained file, and its pictures."""

from __future__ import annotations

from html import escape
from pathlib import Path

import yaml

from kecor import run_dir
from kecor.files import write_text
from kecor.visualization import html
from kecor.visualization.curves import write_curve
from kecor.visualization.frame_map import write_map
from kecor.visualization.kernel_plots import kernel_rounds, write_kernel
from kecor.visualization.pick_views import Frames, first_frames, read_view, shown_in, write_views
from kecor.visualization.report_picks import first_frames_part
from kecor.visualization.report_rounds import round_section
from kecor.visualization.run_folder import RunRecord, number, read_run
from kecor.visualization.wording import GLOSSARY, KERNEL, counted, duration, figure, growth, whole

FILES = [
    (run_dir.SUMMARY, "one line a round: the table of all rounds, to the last digit"),
    (run_dir.CURVE, "the curve above"),
    (run_dir.KERNEL, "the picture of the kernel above"),
    (run_dir.CONFIG, "all settings, as used"),
    (run_dir.STATE, "frame ids by round, where the run stands"),
    (run_dir.LOG, "what the run printed"),
    (f"{run_dir.ROUNDS}/{run_dir.CHECKPOINT}", "the detector of a round"),
    (f"{run_dir.ROUNDS}/{run_dir.METRICS}", "all its results"),
    (f"{run_dir.ROUNDS}/{run_dir.SELECTION}", "the frames picked with it"),
    (f"{run_dir.ROUNDS}/{run_dir.MAP}", "where all frames lie on the map"),
    (f"{run_dir.ROUNDS}/{run_dir.ANNOTATORS}", "what the annotators changed"),
    (f"{run_dir.ROUNDS}/{run_dir.PICKS}", "pictures of these frames and their sweeps in 3D"),
    (f"{run_dir.ROUNDS}/{run_dir.CONFIDENCE}", "scores from which predicted boxes are drawn in them"),
]


def update_report(work_dir: str | Path, frames: Frames | None = None) -> Path:
    """Write ``curve.png``, ``report.html`` and, where a kernel chose, ``kernel.png`` from what a run has left so far.

    Args:
        work_dir: folder of the run.
        frames: reads frames, to draw picks that have no picture yet; without it they go without one.

    Returns:
        The path of the page.

    Raises:
        DataError: the folder holds no summary.csv, or a file of the run or of a frame cannot be read.
    """
    run = read_run(work_dir)
    for record in run.rounds:
        write_map(record)
    if frames is not None:
        write_views(run, frames)
    path = run.folder / run_dir.REPORT
    write_text(path, html.page(f"Active learning: {_method(run)}", _body(run)))
    return path


def _body(run: RunRecord) -> list[str]:
    curve = run.folder / run_dir.CURVE
    write_curve(run.rows, curve, run.classes, run.metric.panels)
    first = first_frames(run)
    records = {record.number: record for record in [*run.rounds, first]}
    drawn = {i: number for i, number in shown_in(run).items() if read_view(records[number], i) is not None}
    kernel = _kernel(run)
    rounds = [(f"round-{record.number}", f"Round {record.number}") for record in run.rounds]
    pictures = first_frames_part(first, run, drawn)
    start = [html.section("start", "Nearest frames of the start", pictures)] if pictures else []
    links = [
        ("curve", "Curve"),
        *rounds,
        *([("start", "Start")] if start else []),
        *([("kernel", "Kernel")] if kernel else []),
        ("rounds", "Numbers"),
    ]
    caption = "Each point is one round, trained on all boxes labelled so far."
    picture = html.picture(curve, "Average precision against labelled boxes", caption)
    return [
        f"<header><h1>Active learning: {escape(_method(run))} on {escape(_data(run))}</h1>",
        html.paragraph(headline(run, int(run.state.get("n_frames") or 0) or None), "lead"),
        _cards(run),
        "</header>",
        html.navigation([*links, ("meaning", "Meaning"), ("files", "Files")]),
        html.section("curve", "Accuracy by number of labelled boxes", [picture]),
        *(round_section(record, run, drawn) for record in run.rounds),
        *start,
        *kernel,
        html.section("rounds", "All rounds in numbers", [_rounds_table(run)]),
        html.section("meaning", "What the numbers mean", [html.definitions([*GLOSSARY, *run.metric.glossary])]),
        html.section("files", "Files", [_files(run)]),
        *([html.plotly_script()] if drawn else []),
    ]


def headline(run: RunRecord, n_frames: int | None = None) -> str:
    """One plain sentence: what was run, its cost and its outcome; ``n_frames`` is the size of the training split."""
    first, last = run.rows[0], run.rows[-1]
    seed = f" (seed {last['seed']})" if last.get("seed") else ""
    frames = counted(last["frames"], "frame", "frames")
    if n_frames is not None:
        frames = f"{whole(last['frames'])} of {counted(n_frames, 'frame', 'frames')}"
    text = f"{_method(run)}{seed} has labelled {frames}, {counted(last['boxes'], 'box', 'boxes')}"
    main, title = run.metric.main, run.metric.quantities[run.metric.main]
    if not any(figure(row[f"{name}_{main}"]) for row in run.rows for name in run.classes):
        return f"{text}; nothing was measured, as no object of the validation split is labelled."
    if len(run.rows) == 1:
        found = [f"{c} {figure(last[f'{c}_{main}']) or html.DASH}" for c in run.classes]
        return f"{text}, for the first detector; its {title} AP in percent: {', '.join(found)}."
    moves = []
    for name in run.classes:
        before, after = (figure(row[f"{name}_{main}"]) or html.DASH for row in (first, last))
        moves.append(f"for {name} from {before} to {after}")
    rounds = counted(len(run.rows) - 1, "round", "rounds")
    return f"{text}, in {rounds} of selection; {title} AP in percent went {', '.join(moves)}."


def _method(run: RunRecord) -> str:
    return run.rows[-1].get("method") or "unnamed method"


def _data(run: RunRecord) -> str:
    data = run.config.get("data", {})
    return Path(str(data["root"])).name or "the data set" if data.get("root") else "the data set"


def _stages(run: RunRecord) -> list[str]:
    """Names of the stages, from the columns of summary.csv that hold their durations."""
    return [name.removeprefix("seconds_") for name in run.rows[0] if name and name.startswith("seconds_")]


def _cards(run: RunRecord) -> str:
    last, main = run.rows[-1], run.metric.main
    cards = [(whole(last["frames"]), "frames labelled"), (whole(last["boxes"]), "boxes labelled")]
    for name in run.classes:
        before, after = (figure(row[f"{name}_{main}"]) or html.DASH for row in (run.rows[0], last))
        value = after if len(run.rows) == 1 else f"{before} → {after}"
        cards.append((value, f"{name} {run.metric.quantities[main]} AP (%)"))
    seconds = [number(row.get(f"seconds_{stage}")) or 0.0 for row in run.rows for stage in _stages(run)]
    cards.append((duration(sum(seconds)), "computing time"))
    items = "".join(f'<div class="card"><b>{escape(str(v))}</b><span>{escape(t)}</span></div>' for v, t in cards)
    return f'<div class="cards">{items}</div>'


def _rounds_table(run: RunRecord) -> str:
    quantities = run.metric.quantities
    columns = [f"{c}_{quantity}" for c in run.classes for quantity in quantities]
    groups = [("", 4), *((c, len(quantities)) for c in run.classes)]
    rows = []
    for row in run.rows:
        spent = [growth(row["frames"], row.get("new_frames")), growth(row["boxes"], row.get("new_boxes"))]
        rows.append([row["round"], *spent, whole(row.get("cost")), *(figure(row.get(key)) for key in columns)])
    header = ["Round", "Frames", "Boxes", "Cost", *(list(quantities.values()) * len(run.classes))]
    note = html.paragraph(f"{run.metric.note} In brackets: added in the round.", "note")
    stages = _stages(run)
    times = [[row["round"], *(duration(row.get(f"seconds_{s}")) for s in stages)] for row in run.rows]
    timing = html.table(["Round", *(s.capitalize() for s in stages)], times)
    return html.table(header, rows, groups) + note + "<h3>Time by stage</h3>" + timing


def _kernel(run: RunRecord) -> list[str]:
    """Diagnostics of the kernel, for methods that have one."""
    rounds = kernel_rounds(run)
    if not rounds:
        return []
    picture = run.folder / run_dir.KERNEL
    write_kernel(rounds, picture)
    caption = "Diagnostics by round. The section of each round lists the values."
    content = [
        html.picture(picture, "Spectrum, alignment and effect of the kernel in each round", caption),
        html.collapsed("How to read this", html.definitions(KERNEL)),
    ]
    return [html.section("kernel", "Kernel of the selection", content)]


def _files(run: RunRecord) -> str:
    found = [(name, what) for name, what in FILES if any(run.folder.glob(name))]
    rows = "".join(f"<dt><code>{escape(name)}</code></dt><dd>{escape(what)}</dd>" for name, what in found)
    place = f"<p>In <code>{escape(str(run.folder.resolve()))}</code>:</p><dl>{rows}</dl>"
    if not run.config:
        return place
    settings = yaml.safe_dump(run.config, sort_keys=False)
    return place + html.collapsed("All settings", f"<pre>{escape(settings)}</pre>")
