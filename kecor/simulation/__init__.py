"""A LiDAR simulator: ray-casts random road scenes or replayed label files and writes them as data sets."""

from kecor.simulation.dataset import write_dataset

__all__ = ["write_dataset"]
