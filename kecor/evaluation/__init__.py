"""Measuring detections against ground truth: one folder a benchmark, all behind :class:`~.base.Metric`."""

from __future__ import annotations

from typing import Any

from kecor.evaluation.base import Metric, Panel, Table
from kecor.registry import METRICS
from kecor.tables import format_table

__all__ = ["Metric", "Panel", "Table", "build_metric", "result_text"]


def build_metric(cfg: dict[str, Any]) -> Metric:
    """The metric a config's ``evaluation`` section describes: ``type`` is its name, the rest its arguments."""
    return METRICS.build(dict(cfg))


def result_text(cfg: dict[str, Any], result: dict[str, Any] | None) -> str:
    """A result of the metric that ``cfg`` describes as text; None means that there are no labels."""
    if result is None:
        return "no frame of the split has labels: nothing was measured"
    metric = build_metric(cfg)
    texts = [f"{table.title}\n{format_table(table.header, table.rows)}" for table in metric.tables(result)]
    return "\n\n".join([*texts, metric.note])
