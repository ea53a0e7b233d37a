"""Waymo's 3D detection metrics."""

from kecor.evaluation.waymo.detection import BREAKDOWNS, evaluate, summary
from kecor.evaluation.waymo.inputs import GroundTruth, Predictions, read_arrays
from kecor.evaluation.waymo.metric import WaymoMetric

__all__ = ["BREAKDOWNS", "GroundTruth", "Predictions", "WaymoMetric", "evaluate", "read_arrays", "summary"]
