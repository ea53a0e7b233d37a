"""Point clouds in files: .bin, .npy, .pcd, .ply, .las, .laz."""

from kecor.datasets.clouds.reading import read_cloud

__all__ = ["read_cloud"]
