"""Measuring detections against ground truth."""

from __future__ import annotations

from typing import Any

from kecor.evaluation.kitti_metric import KittiMetric
from kecor.evaluation.waymo import WaymoMetric
from kecor.registry import METRICS

__all__ = ["KittiMetric", "WaymoMetric", "build_metric"]


def build_metric(cfg: dict[str, Any]) -> Any:
    """The metric a config's ``evaluation`` section describes: ``type`` is its name, the rest its arguments."""
    return METRICS.build(dict(cfg))
