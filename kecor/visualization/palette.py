"""Colours that stay apart for colour-blind readers (Okabe and Ito 2008), and the marks that go with them."""

from __future__ import annotations

from collections.abc import Sequence

INK = "#222222"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
VIEW_COLOURS = {"true boxes": COLOURS[1], "predicted boxes": COLOURS[0], "pre-labels": COLOURS[3]}
"""Colours of the boxes in the 3D views, as in page.js."""


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """The colour of each class, by its position; colours repeat after the sixth."""
    return {str(name): COLOURS[i % len(COLOURS)] for i, name in enumerate(classes)}
