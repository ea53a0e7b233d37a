"""nuScenes (Caesar et al., CVPR 2020): its tables and sweeps, read through nuscenes-devkit."""

from kecor.datasets.nuscenes.dataset import NuscenesDataset

__all__ = ["NuscenesDataset"]
