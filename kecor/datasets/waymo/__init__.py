"""Waymo Open Dataset (Perception): readers of its v1 and v2 files, conversion, and the converted data set.

The data have Waymo's own licence for non-commercial use; https://waymo.com/open gives them to those who sign in.
"""

from kecor.datasets.waymo.convert import convert
from kecor.datasets.waymo.dataset import WaymoDataset
from kecor.datasets.waymo.v1 import read_v1
from kecor.datasets.waymo.v2 import read_v2

__all__ = ["WaymoDataset", "convert", "read_v1", "read_v2"]
