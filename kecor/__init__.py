"""kecor: active learning for LiDAR 3D object detection by kernel coding rate maximisation."""

__version__ = "0.2.0"
