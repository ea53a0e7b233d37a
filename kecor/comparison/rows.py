"""The summary rows of all finished runs: reading them, adding means over classes, and writing compare.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from kecor import run_dir
from kecor.active.state import read_state
from kecor.comparison.plan import Plan
from kecor.config import Config
from kecor.errors import StateError
from kecor.evaluation import build_metric
from kecor.files import write_text
from kecor.visualization.run_folder import number, read_summary

Row = dict[str, str]
Runs = dict[str, dict[int, list[Row]]]
"""method -> seed -> rows of its summary.csv, as text, with the means over classes added."""

COUNTS = ("round", "frames", "boxes", "cost")
NOT_AP = (*COUNTS, "method", "seed", "new_", "seconds_")
"""Prefixes of the columns that hold no AP."""
MEAN = "mean"
"""Takes the place of the class in the name of a column that is a mean over classes."""


def collect(plan: Plan) -> Runs:
    """Read the rows of every finished run; a method without a finished run is left out.

    Raises:
        StateError: two runs used different data.
        DataError: a summary.csv cannot be read.
    """
    runs: Runs = {}
    digests: dict[str, Path] = {}
    for method, seeds in plan.runs.items():
        for seed, run in seeds.items():
            if run.is_finished():
                digests.setdefault(read_state(run.folder).split_digest, run.folder / run_dir.STATE)
                runs.setdefault(method, {})[seed] = with_means(read_summary(run.folder / run_dir.SUMMARY), run.config)
    if len(digests) > 1:
        raise StateError(
            f"{' and '.join(map(str, digests.values()))}: the split lists changed between these runs, so that their "
            "pools or validation frames differ; start a new comparison in another --work-dir"
        )
    return runs


def with_means(rows: Iterable[Row], config: Config) -> list[Row]:
    """``rows`` with columns such as ``mean_3d`` added: the mean AP over the classes that have one, else empty.

    A class without objects in the validation split has no AP in any round, so every round averages the same classes.
    """
    quantities, classes = build_metric(config.evaluation).quantities, config.data.classes
    return [{**row, **{f"{MEAN}_{name}": _mean(row, name, classes) for name in quantities}} for row in rows]


def columns_of(config: Config) -> tuple[list[str], str]:
    """The columns that methods can be compared by, and the default one."""
    metric = build_metric(config.evaluation)
    names = [*config.data.classes, MEAN]
    return [f"{name}_{quantity}" for name in names for quantity in metric.quantities], f"{names[0]}_{metric.main}"


def write_rows(runs: Runs, path: Path) -> None:
    """Write compare.csv: one line per method, seed and round."""
    rows = [(method, seed, row) for method, seeds in runs.items() for seed, run in seeds.items() for row in run]
    columns = [*COUNTS, *(name for name in rows[0][2] if not name.startswith(NOT_AP))]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "seed", *columns])
    writer.writerows([method, seed, *(row[name] for name in columns)] for method, seed, row in rows)
    write_text(path, text.getvalue())


def _mean(row: Row, quantity: str, classes: Sequence[str]) -> str:
    """The mean over ``classes`` as text; empty if no class has a value."""
    aps = [ap for name in classes if (ap := number(row.get(f"{name}_{quantity}"))) is not None]
    return str(float(np.mean(aps))) if aps else ""
