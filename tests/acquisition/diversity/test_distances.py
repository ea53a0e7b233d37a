"""Distances that hold where single precision is short."""

import numpy as np
import pytest
import torch

from kecor.acquisition.diversity.distances import ROWS, Cover, VectorDistances


def all_known(distances):
    return np.concatenate([part for _, part in distances.known()])


@pytest.mark.parametrize("n", [1, ROWS, ROWS + 1, 3 * ROWS - 1])
def test_distances_are_those_of_double_precision_far_from_the_origin(n):
    rng = np.random.default_rng(0)
    points = (5000 + rng.normal(size=(n, 32))).astype(np.float32)
    known = (5000 + rng.normal(size=(3, 32))).astype(np.float32)
    distances = VectorDistances(torch.from_numpy(points), torch.from_numpy(known))
    exact = np.square(points[:, None].astype(np.float64) - known).sum(2)
    np.testing.assert_allclose(all_known(distances), exact, rtol=1e-5)
    column = distances.column(n - 1)
    np.testing.assert_allclose(column, np.square(points.astype(np.float64) - points[-1]).sum(1), rtol=1e-5)
    assert column[-1] == 0


def test_copies_but_for_rounding_are_at_distance_zero_and_near_ones_are_not():
    point = np.random.default_rng(0).normal(100, 1, 16).astype(np.float32)
    others = np.stack([point, np.nextafter(point, np.inf), point + 0.01])
    distances = VectorDistances(torch.from_numpy(others), torch.from_numpy(point[None]))
    known = all_known(distances)[:, 0]
    assert known[:2].tolist() == [0, 0]
    assert known[2] > 0
    assert distances.column(1)[:2].tolist() == [0, 0]
    assert distances.column(1)[2] > 0


def test_the_nearest_centre_is_kept_as_centres_are_added():
    rng = np.random.default_rng(0)
    points, known = (torch.from_numpy(rng.normal(size=(n, 4)).astype(np.float32)) for n in (40, 3))
    present = np.arange(40) != 7
    cover = Cover(VectorDistances(points, known), present)
    for j in (5, 11, 2):
        cover.add(j)
    centres = torch.cat([known, points[[5, 11, 2]]])
    squared = torch.cdist(points.double(), centres.double()).square().numpy()
    np.testing.assert_allclose(cover.near[present], squared.min(1)[present], rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(cover.owner[present], squared.argmin(1)[present])
    assert cover.near[7] == 0
