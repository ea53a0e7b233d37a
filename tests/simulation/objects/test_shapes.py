"""Meshes fill the boxes they are made for, and look like what they stand for."""

import numpy as np
import pytest

from kecor.geometry.boxes import corners
from kecor.simulation.objects.shapes import BUILDERS, SIZES, object_mesh, random_size


@pytest.mark.parametrize("name", [*BUILDERS, "Misc"])
def test_a_mesh_fills_its_box(name):
    rng = np.random.default_rng(0)
    for size in ((3.9, 1.6, 1.5), (0.8, 0.6, 1.8), (12.0, 2.6, 3.4)):
        mesh = object_mesh(name, np.array([0, 0, 0, *size, 0.0]), rng)
        np.testing.assert_allclose(mesh.vertices.max(0), np.array(size) / 2, atol=1e-9)
        np.testing.assert_allclose(mesh.vertices.min(0), -np.array(size) / 2, atol=1e-9)
        assert mesh.triangles.max() < len(mesh.vertices)
        assert mesh.surface.shape == (len(mesh.triangles), 4)


def test_a_placed_mesh_stays_within_the_corners_of_its_box():
    box = np.array([20.0, -3.0, -0.9, 4.0, 1.7, 1.5, 2.1])
    mesh = object_mesh("Car", box, np.random.default_rng(3))
    low, high = corners(box[None])[0].min(0), corners(box[None])[0].max(0)
    assert (mesh.vertices >= low - 1e-9).all()
    assert (mesh.vertices <= high + 1e-9).all()


def test_shapes_vary():
    box = np.array([0, 0, 0, 4.0, 1.7, 1.5, 0.0])
    one, two = (object_mesh("Car", box, np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.allclose(one.vertices, two.vertices)


def test_a_car_has_a_cabin_lower_than_a_box():
    """The top half of a car is narrower and shorter than its lower half: it is no bare box."""
    mesh = object_mesh("Car", np.array([0, 0, 0, 4.0, 1.7, 1.5, 0.0]), np.random.default_rng(0))
    roof = mesh.vertices[mesh.vertices[:, 2] > 0.7]
    assert np.ptp(roof[:, 0]) < 3.4
    assert np.ptp(roof[:, 1]) < 1.4


@pytest.mark.parametrize("name", SIZES)
def test_sizes_follow_kittis_statistics(name):
    rng = np.random.default_rng(0)
    sizes = np.array([random_size(name, rng) for _ in range(2000)])
    mean, deviation = SIZES[name]
    np.testing.assert_allclose(sizes.mean(0), mean, rtol=0.03)
    np.testing.assert_allclose(sizes.std(0), deviation, rtol=0.15)
    assert (sizes > 0.15).all()
