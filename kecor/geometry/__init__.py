"""Boxes and points as plain geometry: pure numpy functions."""

from kecor.geometry.boxes import bev_corners, corners, rotate_points

__all__ = ["bev_corners", "corners", "rotate_points"]
