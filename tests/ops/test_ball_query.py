import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from kecor import ops
from kecor.ops import chunks
from tests.ops import clouds

CLOUDS = clouds.degenerate() | {"a street": clouds.street(300)}


def plain(points, centres, radius, n_samples):
    limit, index, counts = np.float32(radius * radius), [], []
    for centre in centres.numpy():
        near = np.flatnonzero(clouds.squared_distances(points.numpy(), centre) < limit)[:n_samples]
        index.extend(near.tolist())
        counts.append(len(near))
    return index, counts


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("radius", [1e-25, 0.4, 1.0, 4.8, 1e7, 1e18])
@pytest.mark.parametrize("name", CLOUDS)
def test_equals_a_plain_loop(name, radius):
    points = CLOUDS[name]
    centres = torch.cat(
        [points[::3], clouds.street(30, seed=2), torch.full((1, 3), torch.nan), torch.full((1, 3), 9e37)]
    )
    for n_samples in (1, 5, 1000):
        index, counts = ops.ball_query(points, centres, radius, n_samples)
        assert index.dtype == counts.dtype == torch.int64
        assert (index.tolist(), counts.tolist()) == plain(points, centres, radius, n_samples)


@pytest.mark.parametrize("radius", [0.4, 1.6, 4.8])
def test_all_neighbours_are_those_of_a_tree(radius):
    points, centres = clouds.street(6000), clouds.street(200, seed=3)
    index, counts = ops.ball_query(points, centres, radius, len(points))
    found = [sorted(rows) for rows in cKDTree(points.double()).query_ball_point(centres.double(), radius)]
    assert counts.tolist() == [len(rows) for rows in found]
    assert index.tolist() == [row for rows in found for row in rows]
    assert (counts == 0).any() or radius > 1
    few, fewer = ops.ball_query(points, centres, radius, 16)
    assert few.tolist() == [row for rows in found for row in rows[:16]]
    assert fewer.tolist() == [min(len(rows), 16) for rows in found]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 50), st.floats(1e-3, 1e4), st.integers(1, 20))
def test_random_scales(seed, radius, spread, n_samples):
    rng = np.random.default_rng(seed)
    points = torch.from_numpy(rng.normal(0, spread * rng.uniform(0, 1, 3), (50, 3)).astype(np.float32))
    centres = torch.cat([points[:5], points[:10] + 0.7 * radius])
    index, counts = ops.ball_query(points, centres, radius, n_samples)
    assert (index.tolist(), counts.tolist()) == plain(points, centres, radius, n_samples)


def test_the_surface_is_outside():
    points = torch.tensor([[0.5, 0, 0], [0, np.nextafter(np.float32(0.5), np.float32(0)), 0], [0, 0, -0.5]])
    index, counts = ops.ball_query(points, torch.zeros(1, 3), 0.5, 8)
    assert (index.tolist(), counts.tolist()) == ([1], [1])


@pytest.mark.usefixtures("way")
def test_no_centres():
    index, counts = ops.ball_query(clouds.street(10), torch.zeros(0, 3), 1.0, 4)
    assert index.shape == counts.shape == (0,)


@pytest.mark.usefixtures("way")
def test_pieces_make_no_difference(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 100_000)
    points, centres = clouds.street(500), clouds.street(60, seed=4)
    index, counts = ops.ball_query(points, centres, 1.5, 7)
    assert (index.tolist(), counts.tolist()) == plain(points, centres, 1.5, 7)


def test_other_layouts_and_types():
    points, centres = clouds.street(200), clouds.street(40, seed=5)
    expected = ops.ball_query(points, centres, 2.0, 8)
    wide = torch.cat([points, torch.zeros(200, 2)], 1)
    for p, c in ((points.double(), centres.double()), (wide, centres), (wide[:, :3], centres.T.contiguous().T)):
        for got, right in zip(ops.ball_query(p, c, 2.0, 8), expected):
            assert torch.equal(got, right)


@pytest.mark.parametrize(
    ("points", "centres", "radius", "n_samples", "message"),
    [
        (
            torch.zeros(2, 2),
            torch.zeros(1, 3),
            1.0,
            1,
            r"points: expected floating \(N, >=3\), got torch.float32 \(2, 2\)",
        ),
        (torch.zeros(2, 3), torch.zeros(3), 1.0, 1, "centres: expected floating"),
        (torch.zeros(2, 3), torch.zeros(1, 3), 0.0, 1, "radius: expected a positive number, got 0.0"),
        (torch.zeros(2, 3), torch.zeros(1, 3), float("nan"), 1, "radius: expected"),
        (torch.zeros(2, 3), torch.zeros(1, 3), 1.0, 0, "n_samples: expected at least 1, got 0"),
    ],
)
def test_wrong_arguments(points, centres, radius, n_samples, message):
    with pytest.raises(ValueError, match=message):
        ops.ball_query(points, centres, radius, n_samples)
