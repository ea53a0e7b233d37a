"""The protocol of a metric: detections of a data set in, numbers and tables out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kecor.datasets.base import Dataset
from kecor.structures import Detections


@dataclass(frozen=True)
class Table:
    """A table of results. A cell that is None has no value: no object of the class counts, for instance."""

    title: str
    header: list[str]
    rows: list[list[Any]]


@dataclass(frozen=True)
class Panel:
    """One panel of a learning curve: a quantity drawn solid, and perhaps a second one drawn dotted.

    Attributes:
        title: of the panel, such as ``3D AP``.
        solid: a quantity of the headline; ``solid_label``: how it is called in the legend.
        dotted: another one, or None; ``dotted_label`` likewise.
    """

    title: str
    solid: str
    solid_label: str = ""
    dotted: str | None = None
    dotted_label: str = ""


class Metric(Protocol):
    """How detections are measured.

    A quantity is a kind of number a metric gives for each class, such as ``bev_loose``. Headline keys are
    ``CLASS_QUANTITY``.

    Attributes:
        quantities: quantity -> how it is called in tables, in the order of their columns.
        main: the quantity that reports speak of first.
        panels: what learning curves show.
        note: what the numbers are, in one or two sentences, printed below tables.
        glossary: terms of the metric and what they mean, for reports.
    """

    quantities: Mapping[str, str]
    main: str
    panels: Sequence[Panel]
    note: str
    glossary: Sequence[tuple[str, str]]

    def evaluate(self, dataset: Dataset, detections: Mapping[str, Detections]) -> dict[str, Any]:
        """Measure the frames named in ``detections``; the result is JSON-ready and becomes ``metrics.json``.

        Args:
            dataset: its labels are the ground truth.
            detections: frame id -> detections of the frame, empty where nothing was found.
        """
        ...

    def write_results(self, dataset: Dataset, detections: Mapping[str, Detections], folder: Path) -> None:
        """Write the detections to ``folder`` in the data set's own submission format; no label is read."""
        ...

    def headline(self, result: dict[str, Any], classes: Sequence[str]) -> dict[str, float | None]:
        """The numbers of ``result`` that summary.csv keeps: ``CLASS_QUANTITY`` -> percent, higher is better."""
        ...

    def tables(self, result: dict[str, Any]) -> list[Table]:
        """``result`` for the terminal and the report."""
        ...
