"""Simulated drives in the files that Waymo publishes."""

from kecor.simulation.waymo.dataset import write_waymo
from kecor.simulation.waymo.tfrecords import write_tfrecord

__all__ = ["write_tfrecord", "write_waymo"]
