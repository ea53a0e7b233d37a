"""Where beams point and what the receiver does with an echo."""

import numpy as np

from kecor.simulation.casting import Caster
from kecor.simulation.objects.meshes import Surface, block
from kecor.simulation.scenes.ground import Ground, fitted_ground
from kecor.simulation.sensor import MOUNT_HEIGHT, RANGE_NOISE, Hits, beam_table, measure, rays, return_probability

FLAT = Ground(np.array([0.0, 0.0, -MOUNT_HEIGHT]))


def bare(xy):
    return np.tile(np.float64(Surface(0.4)), (len(xy), 1))


def test_beams_span_the_sensors_field_of_view():
    elevation, height = np.rad2deg(beam_table()[0]), beam_table()[1]
    assert elevation.shape == height.shape == (64,)
    assert (np.diff(elevation) < 0).all()
    np.testing.assert_allclose(elevation[[0, -1]], [1.94, -25.0])
    assert np.diff(elevation)[:31].max() > np.diff(elevation)[32:].max()  # the upper block is the finer one


def test_rays_are_unit_vectors_and_the_sector_is_a_part_of_the_sweep():
    part, whole = rays(turn=0.001), rays(full_sweep=True, turn=0.001)
    np.testing.assert_allclose(np.linalg.norm(part[:, 3:], axis=1), 1, atol=1e-6)
    assert len(whole) == 64 * 2160
    assert {tuple(r) for r in part} <= {tuple(r) for r in whole}


def test_a_ray_hits_flat_ground_where_geometry_says():
    shots = rays()
    hits = Caster(FLAT.mesh(bare, full_sweep=False)).first_hits(shots)
    down = -shots[hits.ray, 5].astype(np.float64)
    expected = (MOUNT_HEIGHT + shots[hits.ray, 2]) / down
    assert len(hits.ray) > 10_000
    np.testing.assert_allclose(hits.distance, expected, rtol=1e-4)
    np.testing.assert_allclose(hits.cosine, down, atol=1e-4)


def test_a_wall_is_hit_before_what_is_behind_it_and_all_hits_lists_both():
    shot = np.array([[0, 0, 0, 1, 0, 0]], np.float32)
    caster = Caster(block((10, 0, 0), (2, 2, 2), Surface(0.5)))
    hits = caster.first_hits(shot)
    np.testing.assert_allclose(hits.distance, [9], atol=1e-5)
    ray, _, distance = caster.all_hits(shot)
    assert set(np.round(distance, 4)) == {9.0, 11.0}
    assert (ray == 0).all()


def test_points_lie_along_their_rays_with_the_stated_noise():
    shots = np.tile(np.float32([0, 0, 0, 0.6, 0.8, 0]), (20_000, 1))
    count = len(shots)
    hits = Hits(np.arange(count), np.full(count, 20.0), np.zeros(count, int), np.ones(count))
    surface = np.tile(np.float64(Surface(0.5)), (count, 1))
    points, kept = measure(shots, hits, surface, np.random.default_rng(0))
    distance = np.linalg.norm(points[:, :3].astype(np.float64), axis=1)
    assert abs(distance.mean() - 20) < 1e-3
    assert abs(distance.std() - RANGE_NOISE) < 1e-3
    assert len(points) == len(kept) > 0.9 * count
    np.testing.assert_allclose(points[:, 3] * 100, np.round(points[:, 3] * 100), atol=1e-4)
    assert 0 <= points[:, 3].min() <= points[:, 3].max() < 1


def test_echoes_fade_with_distance_incidence_and_dark_surfaces():
    def chance(reflectivity=0.4, distance=40.0, cosine=1.0, loss=0.0):
        surface = np.float64([Surface(reflectivity, loss)])
        return return_probability(surface, np.array([distance]), np.array([cosine]))[0]

    assert chance() > chance(distance=60)
    assert chance() > chance(cosine=0.1)
    assert chance() > chance(reflectivity=0.1)
    np.testing.assert_allclose(chance(loss=0.5), chance() / 2)
    assert chance(distance=2.0) > 0.98


def test_ground_is_fitted_under_feet_and_an_outlier_does_not_tilt_it():
    rng = np.random.default_rng(1)
    xy = np.column_stack([rng.uniform(10, 60, 12), rng.uniform(-20, 20, 12)])
    feet = np.column_stack([xy, 0.02 * xy[:, 0] - MOUNT_HEIGHT])
    ground = fitted_ground(feet)
    np.testing.assert_allclose(ground.height(xy), feet[:, 2], atol=0.05)
    feet[0, 2] += 5
    np.testing.assert_allclose(fitted_ground(feet).plane, ground.plane, atol=0.05)
    np.testing.assert_allclose(fitted_ground(np.zeros((0, 3))).height([[30, 5]]), -MOUNT_HEIGHT, atol=1e-6)
