"""A LiDAR simulator: ray-cast scenes of roads, or real label files, written as a data set in the KITTI layout."""

from kecor.simulation.dataset import write_dataset

__all__ = ["write_dataset"]
