"""The box of labelCloud's eight corners."""

from __future__ import annotations

import math

import numpy as np

from kecor.errors import DataError
from kecor.labelling.reading import Value

SIDES = np.array([[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (-1, 1), (1, 1), (1, -1))])
"""Sides of the corners along the box's own x, y and z, in labelCloud's order."""
SLACK = 0.01
"""Metres that a corner may lie from where the others put it, and cosine between edges."""


def box_of_vertices(vertices: Value) -> tuple[list[float], list[float]]:
    """Box and tilt of eight corners: 0-3 below, 4-7 above, 0 at (-x, -y), 1 at (-x, +y), 2 at (+x, +y).

    Raises:
        DataError: not eight corners, or corners that are no box in this order.
    """
    corners = np.array([corner.vector(3) for corner in vertices.items()])
    if corners.shape != (8, 3):
        raise DataError(f"{vertices.where}: {len(corners)} corners; a box has 8")
    centre = corners.mean(0)
    edges = SIDES.T @ corners / 4  # rows: along the box's x, y and z, as long as the sizes
    sizes = np.linalg.norm(edges, axis=1)
    if (sizes == 0).any():
        raise DataError(f"{vertices.where}: a side of the box has no length; delete the box or draw it again")
    units = edges / sizes[:, None]
    off = np.abs(centre + SIDES @ edges / 2 - corners).max()
    if off > SLACK or np.abs(units @ units.T - np.eye(3)).max() > SLACK or np.linalg.det(units) < 0 or units[2, 2] < 0:
        raise DataError(f"{vertices.where}: is no upright box with its corners in labelCloud's order; export it again")
    heading = math.atan2(units[0, 1], units[0, 0])
    roll, pitch = math.asin(np.clip(units[1, 2], -1, 1)), -math.asin(np.clip(units[0, 2], -1, 1))
    return [*centre, *sizes, heading], [roll, pitch]
