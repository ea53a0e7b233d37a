"""The voxel grid of a data config and the bird's-eye-view map computed from it."""

from __future__ import annotations

from dataclasses import dataclass

from kecor.config import DataConfig
from kecor.errors import ConfigError

STRIDE = 8
"""Voxels along x and y per cell of the bird's-eye-view map."""


@dataclass(frozen=True)
class Grid:
    """A voxel grid.

    Attributes:
        point_cloud_range: (x0, y0, z0, x1, y1, z1) in metres.
        voxel_size: metres along x, y, z.
        cells: number of voxels along x, y, z.
    """

    point_cloud_range: tuple[float, ...]
    voxel_size: tuple[float, ...]
    cells: tuple[int, int, int]

    @classmethod
    def from_config(cls, data: DataConfig) -> Grid:
        """The grid of a data config.

        Raises:
            ConfigError: the range is not a whole number of voxels, or along x or y not a whole number of map cells.
        """
        low, high = data.point_cloud_range[:3], data.point_cloud_range[3:]
        size = data.voxels.size
        if len(size) != 3 or len(low) != 3 or len(high) != 3 or min(size) <= 0:
            raise ConfigError("data: point_cloud_range needs six numbers and voxels.size three positive ones")
        cells: list[int] = []
        for axis, start, end, step in zip("xyz", low, high, size):
            count = round((end - start) / step)
            if count < 1 or abs(count * step - (end - start)) > 1e-3 * step:
                raise ConfigError(
                    f"data.point_cloud_range: {end - start:g} m along {axis} is not a whole number of voxels of "
                    f"{step:g} m"
                )
            if axis != "z" and count % STRIDE:
                raise ConfigError(
                    f"data.point_cloud_range: {count} voxels along {axis} are not a multiple of {STRIDE}, the stride "
                    f"of the backbone; nearest: {count // STRIDE * STRIDE * step:g} or "
                    f"{-(-count // STRIDE) * STRIDE * step:g} m"
                )
            cells.append(count)
        x, y, z = cells
        return cls(tuple(low + high), tuple(size), (x, y, z))

    @property
    def sparse_shape(self) -> tuple[int, int, int]:
        """(z, y, x) shape of the sparse input. As published, one layer is added on top (41 for KITTI's 40 cells)."""
        x, y, z = self.cells
        return z + 1, y, x

    @property
    def bev_shape(self) -> tuple[int, int]:
        """(H, W) of the bird's-eye-view map: cells along y and x."""
        return self.cells[1] // STRIDE, self.cells[0] // STRIDE
