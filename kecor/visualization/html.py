"""The pieces of a self-contained HTML page: escaped text, tables, pictures inside the file, one style sheet."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

DASH = "–"  # noqa: RUF001
STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5a6475; --line: #d9dee7; --page: #fff; --panel: #f5f7fa;
  --mark: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --soft: #9da7b8; --line: #343c4a; --page: #14181f;
  --panel: #1d232d; --mark: #6cbcea; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2.5rem 1.5rem 4rem; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .6rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .7rem; padding-top: 1.1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.6rem 0 .5rem; }
p { margin: .5rem 0; max-width: 52rem; }
.lead { font-size: 1.1rem; }
.note { color: var(--soft); font-size: .9rem; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0 0; }
.card { flex: 1 1 10.5rem; background: var(--panel); border-radius: 8px; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.3rem; line-height: 1.4; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .85rem; }
.wide { overflow-x: auto; margin: .7rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .32rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; vertical-align: bottom; }
td.n { white-space: nowrap; }
thead tr:first-child th[colspan] { text-align: center; }
td.n, th.n { text-align: right; }
tbody tr:hover { background: var(--panel); }
img { display: block; max-width: 100%; height: auto; margin: .8rem 0; padding: .5rem; background: #fff;
  border: 1px solid var(--line); border-radius: 8px; }
details { margin: .7rem 0; }
summary { cursor: pointer; color: var(--mark); }
pre { overflow-x: auto; background: var(--panel); border-radius: 8px; padding: .9rem 1rem; font-size: .82rem; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .35rem 1.4rem; margin: .8rem 0; }
dt { font-weight: 600; }
dd { margin: 0; max-width: 46rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
"""


def page(title: str, body: Sequence[str]) -> str:
    """A whole document; ``body`` is HTML, ``title`` is text."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        *body,
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]], groups: Sequence[tuple[str, int]] = ()) -> str:
    """A table; numbers stand right, a cell that is None or empty is a dash.

    Args:
        headers: one text a column.
        rows: text or None; columns whose cells all look like numbers are set to the right.
        groups: (text, number of columns) of a line above the headers.
    """
    texts = [[DASH if cell in (None, "") else str(cell) for cell in row] for row in rows]
    right = [bool(column) and all(_numeric(cell) for cell in column) for column in zip(*texts)]
    right += [False] * (len(headers) - len(right))
    tags = [' class="n"' if r else "" for r in right]
    head = "".join(f'<th scope="col"{t}>{escape(h)}</th>' for h, t in zip(headers, tags))
    above = "".join(f'<th scope="colgroup" colspan="{width}">{escape(text)}</th>' for text, width in groups)
    above = f"<tr>{above}</tr>" if groups else ""
    lines = ["".join(f"<td{t}>{escape(cell)}</td>" for cell, t in zip(row, tags)) for row in texts]
    body = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return f'<div class="wide"><table><thead>{above}<tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>'


def picture(path: Path, text: str) -> str:
    """A PNG file as part of the page; ``text`` says what it shows to those who do not see it."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">'


def collapsed(title: str, content: str) -> str:
    """``content`` (HTML) behind a line of text that opens it."""
    return f"<details><summary>{escape(title)}</summary>\n{content}\n</details>"


def definitions(pairs: Sequence[tuple[str, str]]) -> str:
    """A list of terms and what is said of each, both text."""
    return "<dl>" + "".join(f"<dt>{escape(t)}</dt><dd>{escape(d)}</dd>\n" for t, d in pairs) + "</dl>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of text, of a class of the style sheet."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def _numeric(text: str) -> bool:
    return text == DASH or text.lstrip("+-").replace(".", "").replace(",", "")[:1].isdigit()
