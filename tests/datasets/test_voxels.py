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


def brute_force(points, max_points, max_voxels, reach=RANGE, size=SIZE):
    """The definition with a dict and float64."""
    grid = [round((reach[a + 3] - reach[a]) / size[a]) for a in range(3)]
    voxels = {}
    for point in points.astype(np.float64):
        cell = [math.floor((point[a] - reach[a]) / size[a]) for a in range(3)]
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


@pytest.mark.parametrize(
    "reach",
    [
        [-75.2, -75.2, -2.0, 75.2, 75.2, 4.0],
        [-20.0, -8.0, -3.0, 12.0, 8.0, 1.0],
        [3.2, 1.6, 0.4, 35.2, 17.6, 4.4],
        [-40.0, -24.0, -9.0, -8.0, -8.0, -5.0],
    ],
    ids=["full turn", "behind as well", "ahead and left", "all negative"],
)
def test_ranges_may_begin_anywhere(reach):
    """The cell of a point by hand: its distance from the range's lower corner, in voxels, whatever that corner is."""
    size, low, high = [0.4, 0.2, 0.8], np.array(reach[:3]), np.array(reach[3:])
    rng = np.random.default_rng(1)
    points = rng.uniform(low - 3, high + 3, (4000, 3)).astype(np.float32)
    points = np.column_stack([points, rng.uniform(0, 1, 4000)]).astype(np.float32)
    features, coords = voxelize(points, reach, size, 5, 100_000)
    expected_features, expected_coords = brute_force(points, 5, 100_000, reach, size)
    np.testing.assert_array_equal(coords, expected_coords)
    np.testing.assert_allclose(features, expected_features, rtol=1e-6, atol=1e-6)
    assert coords.min() >= 0
    assert (coords.max(0) < grid_size(reach, size)[::-1]).all()
    corners = np.array([[*(low + 0.1), 0], [*(high - 0.1), 0]], np.float32)
    assert voxelize(corners, reach, size, 5, 9)[1].tolist() == [[0, 0, 0], (grid_size(reach, size)[::-1] - 1).tolist()]


def generated(points, reach, size, max_points, max_voxels):
    """Points (V, max_points, C), cells and numbers of points, of the generator that published detectors use."""
    from spconv.pytorch.utils import PointToVoxel

    generator = PointToVoxel(size, reach, points.shape[1], max_voxels, max_points, torch.device("cpu"))
    return [x.numpy().copy() for x in generator(torch.from_numpy(points))]


def assert_as_published(points, reach, size, max_points, max_voxels):
    """Same cells in the same order, and the same mean of the first, the first two, ... points of each."""
    clouds, coords, counts = generated(points, reach, size, max_points, max_voxels)
    for most in range(1, max_points + 1):
        features, ours = voxelize(points, reach, size, most, max_voxels)
        np.testing.assert_array_equal(ours, coords)
        means = clouds[:, :most].sum(1, dtype=np.float64) / np.minimum(counts, most)[:, None]
        np.testing.assert_allclose(features, means, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("max_voxels", [300, 100_000])
def test_voxels_equal_those_of_the_published_generator(max_voxels):
    assert_as_published(scattered(9, n=20_000), RANGE, SIZE, 5, max_voxels)


@pytest.mark.parametrize(
    ("reach", "size"),
    [
        ([0.0, -40.0, -3.0, 70.4, 40.0, 1.0], [0.05, 0.05, 0.1]),
        ([0.0, -39.68, -3.0, 69.12, 39.68, 1.0], [0.16, 0.16, 0.1]),
        ([-75.2, -75.2, -2.0, 75.2, 75.2, 4.0], [0.1, 0.1, 0.15]),
    ],
)
@pytest.mark.parametrize("frame", ["000000", "000003", "100000"])
def test_voxels_of_real_frames_equal_those_of_the_published_generator(frame, reach, size):
    """Real sensors give whole millimetres: many points lie on faces between cells, where only float32 agrees."""
    path = shared_data("kitti_mini", "training", "velodyne", f"{frame}.bin")
    points = np.fromfile(path, np.float32).reshape(-1, 4)
    if reach[0] < 0:  # the same objects on all sides: a sweep of a full turn
        points = np.concatenate([points, points * np.float32([-1, -1, 1, 1])])
    for max_voxels in (5_000, 150_000):
        assert_as_published(points, reach, size, 5, max_voxels)


def test_points_on_faces_fall_into_the_cell_that_float32_says():
    """By hand: 0.3 and 0.7 m are faces of voxels of 0.1 m. In float32 0.7 / 0.1 is 7; in float64 the same float32
    numbers have 6.9999998."""
    points = np.zeros((2, 4), np.float32)
    points[:, 0] = [0.3, 0.7]
    _, coords = voxelize(points, [0.0, -1.0, -1.0, 1.0, 1.0, 1.0], [0.1, 0.1, 0.1], 5, 9)
    assert coords[:, 2].tolist() == [3, 7]
    assert math.floor(float(points[1, 0]) / 0.1) == 6


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
    places = (features[:, :3].astype(np.float64) - [0, -40, -3]) / [0.05, 0.05, 0.1] - coords[:, ::-1]
    assert -1e-3 < places.min() <= places.max() < 1 + 1e-3  # a mean lies in its cell, up to rounding at a face
