"""Geometry of boxes and points: pure numpy functions."""

from kecor.geometry.boxes import bev_corners, corners, rotate_points

__all__ = ["bev_corners", "corners", "rotate_points"]
