"""The mesh and the size distribution of each label class."""

from __future__ import annotations

import numpy as np

from kecor.simulation.objects import people, vehicles
from kecor.simulation.objects.meshes import Mesh

BUILDERS = {
    "Car": vehicles.car,
    "Van": vehicles.van,
    "Truck": vehicles.truck,
    "Tram": vehicles.tram,
    "Pedestrian": people.pedestrian,
    "Person_sitting": people.person_sitting,
    "Cyclist": people.cyclist,
}

SIZES = {
    "Car": ((3.88, 1.63, 1.53), (0.43, 0.10, 0.14)),
    "Van": ((5.08, 1.90, 2.21), (0.83, 0.17, 0.32)),
    "Truck": ((10.11, 2.59, 3.25), (2.86, 0.22, 0.45)),
    "Pedestrian": ((0.84, 0.66, 1.76), (0.23, 0.14, 0.11)),
    "Person_sitting": ((0.80, 0.59, 1.27), (0.22, 0.08, 0.11)),
    "Cyclist": ((1.76, 0.60, 1.74), (0.18, 0.12, 0.09)),
}
"""Mean and standard deviation of (length, width, height) in metres, over all 7,481 KITTI training label files."""


def random_size(name: str, rng: np.random.Generator) -> np.ndarray:
    """(3,) random length, width and height of an object of class ``name``: normal with KITTI's mean and standard
    deviation, clipped at two deviations.

    Half of the variance is common to length, width and height, because long cars tend to be wide and high as well.
    """
    mean, deviation = np.array(SIZES[name])
    spread = np.sqrt(0.5) * rng.normal() + np.sqrt(0.5) * rng.normal(size=3)
    return mean + deviation * np.clip(spread, -2, 2)


def object_mesh(name: str, box: np.ndarray, rng: np.random.Generator) -> Mesh:
    """A mesh that fills ``box`` (7,) in the LiDAR frame. Classes without a builder, such as Misc, become a trailer."""
    x, y, z, length, width, height, heading = np.asarray(box, np.float64)
    mesh = BUILDERS.get(name, vehicles.trailer)((length, width, height), rng)
    return mesh.placed(x, y, z, heading)
