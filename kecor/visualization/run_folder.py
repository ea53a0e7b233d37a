"""What an active-learning run left in its folder, as far as it came."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kecor import run_dir
from kecor.errors import DataError
from kecor.evaluation import Metric, build_metric
from kecor.files import read_json, read_text


@dataclass
class RoundRecord:
    """One round on disk.

    Attributes:
        number: 0 for the initial frames.
        folder: where its files are; it may be missing.
        row: its line of summary.csv, as text.
        selection: selection.json, or None when nothing was selected (yet).
        metrics: metrics.json, or None where nothing was measured.
    """

    number: int
    folder: Path
    row: dict[str, str]
    selection: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None


@dataclass
class RunRecord:
    """One run on disk.

    Attributes:
        folder: of the run.
        rows: of summary.csv, as text.
        rounds: one record each.
        classes: those with a column in summary.csv.
        metric: what the run was measured with.
        config: config.yaml as plain values; empty when absent.
        state: al_state.json; empty when absent.
    """

    folder: Path
    rows: list[dict[str, str]]
    rounds: list[RoundRecord]
    classes: list[str]
    metric: Metric
    config: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)


def number(value: Any) -> float | None:
    """``value`` as a float; None for a missing, empty or non-finite one and for what is no number."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def read_summary(path: str | Path) -> list[dict[str, str]]:
    """The rows of a summary.csv, one a round, values as text.

    Raises:
        DataError: the file is missing, has no row, or lacks the column ``round``, ``frames`` or ``boxes``.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file; tools/train_al.py writes it when the first round ends")
    try:
        rows = list(csv.DictReader(read_text(path).splitlines()))
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not rows:
        raise DataError(f"{path}: holds no round yet")
    for name in ("round", "frames", "boxes"):
        for line, row in enumerate(rows, 2):
            if number(row.get(name)) is None:
                raise DataError(f"{path}:{line}: column {name!r} holds no number: {row.get(name)!r}")
    return rows


def read_run(work_dir: str | Path) -> RunRecord:
    """All that a run's folder tells; files a run has not come to are left out.

    Raises:
        DataError: no summary.csv, or a file that is there and cannot be read.
    """
    folder = Path(work_dir)
    rows = read_summary(folder / run_dir.SUMMARY)
    rounds = [_read_round(folder, row) for row in rows]
    config = _read_config(folder / run_dir.CONFIG)
    metric = build_metric(config.get("evaluation") or {"type": "kitti"})
    ending = f"_{metric.main}"
    classes = [name.removesuffix(ending) for name in rows[0] if name and name.endswith(ending)]
    state = _optional(folder / run_dir.STATE) or {}
    return RunRecord(folder, rows, rounds, classes, metric, config, state)


def _read_round(folder: Path, row: dict[str, str]) -> RoundRecord:
    index = int(float(row["round"]))
    place = run_dir.round_dir(folder, index)
    return RoundRecord(
        number=index,
        folder=place,
        row=row,
        selection=_optional(place / run_dir.SELECTION),
        metrics=_optional(place / run_dir.METRICS),
    )


def _optional(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    value = read_json(path)
    if value is None:  # metrics.json where no validation frame is labelled
        return None
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(value).__name__}")
    return value


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        config = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    return config if isinstance(config, dict) else {}
