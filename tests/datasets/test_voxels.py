import math

import numpy as np
import pytest
import torch

from kecor.datasets.voxels import grid_size, voxelize
from tests.shared import shared_data

RANGE = [0.0, -8.0, -3.0, 16.0, 8.0, 1.0]
SIZE = [0.4, 0.5, 0.8]


def scattered(seed, n=3000, channels=4):
    """Points in and around the range, part of them in a few dense clumps."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-12, 20, (n, channels))
    points[:, 2] = rng.uniform(-4, 2, n)
    clumps = rng.uniform([0, -8, -3], [16, 8, 1], (6, 3))
    points[: n // 2, :3] = clumps[rng.integers(6, size=n // 2)] + rng.normal(0, 0.3, (n // 2, 3))
    return rng.permutation(points).astype(np.float32)


def brute_force(points, max_points, max_voxels):
    """The definition with a dict and float64."""
    grid = [round((RANGE[a + 3] - RANGE[a]) / SIZE[a]) for a in range(3)]
    voxels = {}
    for point in points.astype(np.float64):
        cell = [math.floor((point[a] - RANGE[a]) / SIZE[a]) for a in range(3)]
        if any(not 0 <= c < g for c, g in zip(cell, grid)):
            continue
        key = tuple(reversed(cell))
        if key not in voxels:
            if len(voxels) == max_voxels:
                continue
            voxels[key] = []
        if len(voxels[key]) < max_points:
            voxels[key].append(point)
    return np.array([np.mean(v, axis=0) for v in voxels.values()]), np.array(list(voxels))


@pytest.mark.parametrize("max_voxels", [1, 50, 100_000])
@pytest.mark.parametrize("max_points", [1, 5, 1000])
def test_voxels_equal_the_brute_force_ones(max_points, max_voxels):
    for seed in range(3):
        points = scattered(seed, channels=4 + seed)
        features, coords = voxelize(points, RANGE, SIZE, max_points, max_voxels)
        expected_features, expected_coords = brute_force(points, max_points, max_voxels)
        np.testing.assert_array_equal(coords, expected_coords)
        np.testing.assert_allclose(features, expected_features, rtol=1e-6, atol=1e-6)
        assert (features.dtype, coords.dtype) == (np.float32, np.int32)


@pytest.mark.parametrize("max_voxels", [300, 100_000])
def test_voxels_equal_those_of_the_published_generator(max_voxels):
    from spconv.pytorch.utils import PointToVoxel

    points = scattered(9, n=20_000)
    generator = PointToVoxel(SIZE, RANGE, 4, max_voxels, 5, torch.device("cpu"))
    clouds, coords, counts = (x.numpy() for x in generator(torch.from_numpy(points)))
    features, ours = voxelize(points, RANGE, SIZE, 5, max_voxels)
    np.testing.assert_array_equal(ours, coords)
    np.testing.assert_allclose(features, clouds.sum(1) / counts[:, None], rtol=1e-5, atol=1e-5)


def test_lower_faces_are_inside_and_upper_faces_are_not():
    low, high = np.array(RANGE[:3]), np.array(RANGE[3:])
    points = np.zeros((6, 4), np.float32)
    points[:, :3] = [low, high, [high[0], 0, 0], [0, high[1], 0], [0, 0, high[2]], np.nextafter(low, -99, dtype="f4")]
    _, coords = voxelize(points, RANGE, SIZE, 5, 100)
    assert coords.tolist() == [[0, 0, 0]]


def test_points_that_are_not_finite_or_far_away_are_dropped():
    points = np.array([[1, 1, 0, 1], [np.nan, 1, 0, 1], [1, np.inf, 0, 1], [1, 1, -1e30, 1]], np.float32)
    features, _ = voxelize(points, RANGE, SIZE, 5, 100)
    np.testing.assert_array_equal(features, points[:1])


def test_no_points_make_no_voxels():
    features, coords = voxelize(np.zeros((0, 4), np.float32), RANGE, SIZE, 5, 100)
    assert features.shape == (0, 4)
    assert coords.shape == (0, 3)


def test_a_read_only_cloud_is_taken_and_left_alone():
    points = scattered(1)
    before = points.copy()
    points.flags.writeable = False
    voxelize(points, RANGE, SIZE, 5, 100)
    np.testing.assert_array_equal(points, before)


def test_the_grid_of_the_published_detectors():
    assert grid_size([0, -40, -3, 70.4, 40, 1], [0.05, 0.05, 0.1]).tolist() == [1408, 1600, 40]


def test_a_real_sweep_at_full_resolution():
    path = shared_data("kitti_mini", "training", "velodyne", "100000.bin")
    points = np.fromfile(path, np.float32).reshape(-1, 4)
    features, coords = voxelize(points, [0, -40, -3, 70.4, 40, 1], [0.05, 0.05, 0.1], 5, 40_000)
    assert len(np.unique(coords, axis=0)) == len(coords) > 10_000
    cells = np.floor((features[:, :3].astype(np.float64) - [0, -40, -3]) / [0.05, 0.05, 0.1])
    assert (np.abs(cells - coords[:, ::-1]).max(1) <= 1).all()  # a mean lies in its cell, up to rounding at a face
    assert (cells == coords[:, ::-1]).all(1).mean() > 0.999
