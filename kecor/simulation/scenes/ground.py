"""The ground: a plane with gentle waves that passes through the bottoms of given objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kecor.simulation.objects.meshes import Mesh, Surface
from kecor.simulation.sensor import MOUNT_HEIGHT

ASPHALT = Surface(0.36)
PAVING = Surface(0.42)
GRASS = Surface(0.42, loss=0.05, depth=0.12)
STEP = 2.0
"""Edge length of the ground mesh in metres."""
REACH = 4.0
"""Standard deviation in metres of the weight with which the ground is adjusted around a foot point."""


@dataclass(frozen=True)
class Ground:
    """The height of the ground, z in the LiDAR frame.

    Attributes:
        plane: (3,) a, b, c of z = a x + b y + c.
        waves: (W, 4) wave vector in x and y (rad/m), phase, height in metres.
        feet: (F, 3) points that the ground is adjusted to pass through.
    """

    plane: np.ndarray
    waves: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    feet: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))

    def height(self, xy: np.ndarray) -> np.ndarray:
        """(N,) z at (N, 2) positions."""
        xy = np.asarray(xy, np.float64).reshape(-1, 2)
        z = self._waves(xy)
        if len(self.feet):
            off = self.feet[:, 2] - self._waves(self.feet[:, :2])
            near = np.exp(-((xy[:, None] - self.feet[None, :, :2]) ** 2).sum(-1) / (2 * REACH**2))
            z = z + (near @ off) / np.maximum(near.sum(1), 1.0)
        return z

    def _waves(self, xy: np.ndarray) -> np.ndarray:
        """(N,) z of the plane and its waves."""
        phase = xy @ self.waves[:, :2].T + self.waves[:, 2]
        return xy @ self.plane[:2] + self.plane[2] + np.sin(phase) @ self.waves[:, 3]

    def mesh(self, surface_at: Callable[[np.ndarray], np.ndarray], full_sweep: bool) -> Mesh:
        """A grid of triangles out to 84 m; ``surface_at`` maps (T, 2) positions to (T, 4) surfaces."""
        xs = np.arange(-84.0 if full_sweep else 0.0, 84.1, STEP)
        ys = np.arange(-84.0, 84.1, STEP)
        x, y = np.meshgrid(xs, ys, indexing="ij")
        xy = np.column_stack([x.ravel(), y.ravel()])
        corner = (np.arange(len(xs) - 1)[:, None] * len(ys) + np.arange(len(ys) - 1)).ravel()
        right, ahead, far = corner + 1, corner + len(ys), corner + len(ys) + 1
        triangles = np.concatenate([np.stack([corner, ahead, far], 1), np.stack([corner, far, right], 1)])
        surface = surface_at(xy[triangles].mean(1))
        return Mesh(np.column_stack([xy, self.height(xy)]), triangles, surface)


def random_ground(rng: np.random.Generator) -> Ground:
    """A slope of about one per cent with three waves of 15 to 60 m length and a few centimetres amplitude."""
    slope = rng.normal(scale=0.01, size=2)
    length, direction = rng.uniform(15, 60, 3), rng.uniform(0, 2 * np.pi, 3)
    waves = np.column_stack(
        [
            2 * np.pi / length * np.cos(direction),
            2 * np.pi / length * np.sin(direction),
            rng.uniform(0, 2 * np.pi, 3),
            rng.uniform(0, 0.04, 3),
        ]
    )
    return Ground(np.array([*slope, -MOUNT_HEIGHT]), waves)


def fitted_ground(feet: np.ndarray) -> Ground:
    """The ground under (F, 3) foot points: a robust plane, adjusted around each foot point.

    The fit includes four points on the road under the sensor, so that few or distant foot points cannot tilt the plane.
    It is an M-estimator with Cauchy weights of scale 0.3 m.
    """
    own = np.array([[x, y, -MOUNT_HEIGHT] for x in (0.0, 8.0) for y in (-2.0, 2.0)])
    points = np.concatenate([own, np.asarray(feet, np.float64).reshape(-1, 3)])
    design = np.column_stack([points[:, :2], np.ones(len(points))])
    weight = np.ones(len(points))
    for _ in range(10):
        root = np.sqrt(weight)[:, None]
        plane = np.linalg.lstsq(design * root, points[:, 2] * root[:, 0], rcond=None)[0]
        weight = 1 / (1 + ((points[:, 2] - design @ plane) / 0.3) ** 2)
    return Ground(plane, feet=points[4:])
