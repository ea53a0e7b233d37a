"""The pieces of a self-contained HTML page: escaped text, tables, pictures inside the file, one style sheet."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

DASH = "–"  # noqa: RUF001
STYLE = Path(__file__).with_name("page.css")
SCRIPT = Path(__file__).with_name("page.js")
LONG = 40
"""Characters from which the text of a cell wraps."""


def page(title: str, body: Sequence[str]) -> str:
    """A whole document; ``body`` is HTML, ``title`` is text."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE.read_text()}</style>",
        "</head>",
        "<body>",
        *body,
        f"<script>{SCRIPT.read_text()}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Any]],
    groups: Sequence[tuple[str, int]] = (),
    caption: str = "",
) -> str:
    """A table that its reader can sort, in a box that scrolls; numbers stand right, a cell without a value is a dash.

    Args:
        headers: one text a column.
        rows: text or None; columns whose cells all look like numbers are set to the right.
        groups: (text, number of columns) of a line above the headers.
        caption: what the table shows.
    """
    texts = [[DASH if cell in (None, "") else str(cell) for cell in row] for row in rows]
    right = [bool(column) and all(_numeric(cell) for cell in column) for column in zip(*texts)]
    right += [False] * (len(headers) - len(right))
    tags = [' class="n"' if r else "" for r in right]
    head = "".join(f'<th scope="col"{t}>{escape(h)}</th>' for h, t in zip(headers, tags))
    above = "".join(f'<th scope="colgroup" colspan="{width}">{escape(text)}</th>' for text, width in groups)
    head = (f"<tr>{above}</tr>" if groups else "") + f'<tr class="sort">{head}</tr>'
    body = "".join(f"<tr>{''.join(map(_cell, row, tags))}</tr>\n" for row in texts)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    content = f"<table>{title}<thead>{head}</thead>\n<tbody>\n{body}</tbody></table>"
    return f'<div class="wide" tabindex="0">{content}</div>'


def _cell(text: str, tag: str) -> str:
    kind = ' class="long"' if len(text) > LONG else tag
    return f"<td{kind}>{escape(text)}</td>"


def picture(path: Path, text: str, caption: str = "") -> str:
    """A PNG file as part of the page, decoded when it comes into view.

    Args:
        path: of the file.
        text: what it shows, for those who do not see it.
        caption: HTML below it.
    """
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    image = f'<img loading="lazy" alt="{escape(text)}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>" if caption else image


def section(name: str, title: str, content: Sequence[str]) -> str:
    """A part of the page with a heading; ``name`` is what links point to, ``content`` is HTML."""
    return "\n".join([f'<section id="{escape(name)}"><h2>{escape(title)}</h2>', *content, "</section>"])


def navigation(links: Sequence[tuple[str, str]]) -> str:
    """Links to sections: (name, text) each."""
    items = "".join(f'<a href="#{escape(name)}">{escape(text)}</a>' for name, text in links)
    return f'<nav aria-label="Sections">{items}</nav>'


def collapsed(title: str, content: str) -> str:
    """``content`` (HTML) behind a line of text that opens it."""
    return f"<details><summary>{escape(title)}</summary>\n{content}\n</details>"


def definitions(pairs: Sequence[tuple[str, str]]) -> str:
    """A list of terms and what is said of each, both text."""
    return "<dl>" + "".join(f"<dt>{escape(t)}</dt><dd>{escape(d)}</dd>\n" for t, d in pairs) + "</dl>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of text, of a class of the style sheet."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def plotly_script() -> str:
    """plotly.js for the 3D views, compressed, in an element that runs nothing until page.js unpacks it."""
    data = base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode("ascii")
    return f'<script type="text/plain" id="plotly">{data}</script>'


def _numeric(text: str) -> bool:
    return text == DASH or text.lstrip("+-").replace(".", "").replace(",", "")[:1].isdigit()
