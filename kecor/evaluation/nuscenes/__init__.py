"""The nuScenes detection metric, calculated by nuscenes-devkit."""

from kecor.evaluation.nuscenes.metric import NuscenesMetric

__all__ = ["NuscenesMetric"]
