import numpy as np
import pytest
import torch

from kecor import ops
from kecor.ops.furthest_point import furthest_point_order_torch
from tests.ops import clouds

CLOUDS = clouds.degenerate() | {"a street": clouds.street(300)}


def plain(points, n):
    """Rows by one loop a step; those that are taken or not finite are left out by hand."""
    points = points.numpy()
    left = [row for row in range(len(points)) if np.isfinite(points[row]).all()]
    if not left:
        return []
    taken, nearest = [], np.full(len(points), np.inf, np.float32)
    while left and len(taken) < n:
        row = max(left, key=lambda row: (nearest[row], -row))
        nearest = np.minimum(nearest, clouds.squared_distances(points, points[row]))
        left.remove(row)
        taken.append(row)
    return [taken[k % len(taken)] for k in range(n)]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("n", [1, 2, 25, 150, 500])
@pytest.mark.parametrize("name", CLOUDS)
def test_equals_a_plain_loop(name, n):
    rows = ops.furthest_point_sample(CLOUDS[name], n)
    assert rows.dtype == torch.int64
    assert rows.tolist() == plain(CLOUDS[name], n)


def test_a_cloud_of_several_blocks():
    points = clouds.street(5000)
    rows = ops.furthest_point_sample(points, 700)
    assert rows.tolist() == furthest_point_order_torch(points, 700).tolist()
    nearest = torch.cdist(points.double(), points[rows].double()).amin(1)
    assert nearest.max() <= (points[rows[-1]] - points[rows[:-1]]).norm(dim=1).amin() + 1e-5  # it covers the cloud


@pytest.mark.usefixtures("way")
def test_the_furthest_in_a_late_block_is_found():
    points = torch.zeros(4000, 3)
    points[3333, 1] = 1.0
    assert ops.furthest_point_sample(points, 4).tolist() == [0, 3333, 1, 2]


def test_other_layouts_and_types():
    points = clouds.street(100)
    expected = ops.furthest_point_sample(points, 20)
    wide = torch.cat([points, torch.full((100, 2), torch.nan)], 1)  # further columns may hold anything
    for same in (points.double(), wide, points.T.contiguous().T, wide[:, :3], points.clone().requires_grad_()):
        assert torch.equal(ops.furthest_point_sample(same, 20), expected)


@pytest.mark.usefixtures("way")
def test_none_wanted():
    assert ops.furthest_point_sample(clouds.street(5), 0).shape == (0,)


@pytest.mark.parametrize("wrong", [torch.zeros(3), torch.zeros(3, 2), torch.zeros(3, 3, dtype=torch.int64)])
def test_wrong_points(wrong):
    with pytest.raises(ValueError, match=r"points: expected floating \(N, >=3\)"):
        ops.furthest_point_sample(wrong, 2)


def test_a_negative_number():
    with pytest.raises(ValueError, match="n: expected at least 0, got -1"):
        ops.furthest_point_sample(torch.zeros(3, 3), -1)
