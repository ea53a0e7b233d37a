"""Measuring detections against ground truth."""

from __future__ import annotations

from typing import Any

from kecor.evaluation.base import Metric
from kecor.evaluation.boxes import BoxesMetric
from kecor.evaluation.kitti_metric import KittiMetric
from kecor.registry import METRICS

__all__ = ["BoxesMetric", "KittiMetric", "build_metric"]


def build_metric(cfg: dict[str, Any]) -> Metric:
    """The metric a config's ``evaluation`` section describes: ``type`` is its name, the rest its arguments."""
    return METRICS.build(dict(cfg))
