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


class Metric(Protocol):
    """How detections are measured.

    Attributes:
        main: quantity that learning curves show, such as ``bev_loose``: the part of a headline key after the class.
        note: what the headline numbers are, in one or two sentences, printed below tables.
    """

    main: str
    note: str

    def evaluate(
        self, dataset: Dataset, detections: Mapping[str, Detections], result_dir: Path | None = None
    ) -> dict[str, Any]:
        """Measure the frames named in ``detections``; the result is JSON-ready and becomes ``metrics.json``.

        Args:
            dataset: its labels are the ground truth.
            detections: frame id -> detections of the frame, empty where nothing was found.
            result_dir: folder for result files in the data set's own submission format; None writes none.
        """
        ...

    def headline(self, result: dict[str, Any], classes: Sequence[str]) -> dict[str, float | None]:
        """The numbers of ``result`` that summary.csv keeps: ``CLASS_QUANTITY`` -> percent, higher is better."""
        ...

    def tables(self, result: dict[str, Any]) -> list[Table]:
        """``result`` for the terminal and the report."""
        ...
