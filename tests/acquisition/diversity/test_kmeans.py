"""k-means against brute force, its own fixed point, and blobs."""

from itertools import combinations, product

import numpy as np
import pytest
import torch

from kecor.acquisition.diversity import kmeans as module
from kecor.acquisition.diversity.kmeans import kmeans


def cost(points, cluster):
    return sum(np.square(points[cluster == c] - points[cluster == c].mean(0)).sum() for c in np.unique(cluster))


def run(points, k, seed=0):
    return kmeans(torch.from_numpy(np.asarray(points, np.float32)), k, np.random.default_rng(seed))


def plain(points, centres):
    """Lloyd's algorithm written out, from given centres."""
    for _ in range(50):
        cluster = np.linalg.norm(points[:, None] - centres, axis=2).argmin(1)
        centres = np.stack([points[cluster == c].mean(0) for c in range(len(centres))])
    return cost(points, cluster)


def test_it_ends_in_minima_of_the_plain_form_and_in_the_best_one_there_is():
    rng = np.random.default_rng(1)
    for _ in range(3):
        points = rng.normal(size=(7, 2)).astype(np.float32)
        best = min(cost(points, np.array(labels)) for labels in product(range(3), repeat=7))
        minima = np.unique([round(plain(points, points[list(start)]), 4) for start in combinations(range(7), 3)])
        found = np.unique([round(cost(points, run(points, 3, seed)), 4) for seed in range(80)])
        assert np.abs(found[:, None] - minima).min(1).max() < 2e-4
        assert found.min() == pytest.approx(best, abs=2e-4)


def test_it_ends_where_every_point_is_nearest_the_mean_of_its_own_cluster():
    points = (1000 + np.random.default_rng(1).normal(size=(600, 6))).astype(np.float32)
    cluster = run(points, 12)
    means = np.stack([points[cluster == c].astype(np.float64).mean(0) for c in range(12)])
    np.testing.assert_array_equal(np.linalg.norm(points[:, None] - means, axis=2).argmin(1), cluster)


@pytest.mark.parametrize("sample", [100, 20_000])
def test_blobs_are_found_also_in_a_sample(sample, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", sample)
    monkeypatch.setattr(module, "SAMPLE_PER_CLUSTER", 1)
    monkeypatch.setattr(module, "ROWS", 64)
    rng = np.random.default_rng(2)
    blob = np.repeat(np.arange(5), 200)
    points = np.eye(5)[blob] * 50 + rng.normal(size=(1000, 5))
    cluster = run(points, 5)
    assert len(set(zip(blob, cluster))) == 5 == len(set(cluster))


def test_fewer_points_or_fewer_that_differ_than_clusters():
    assert sorted(run([[0, 0], [1, 1]], 5)) == [0, 1]
    cluster = run([[3, 3]] * 4 + [[1, 1]] * 4, 5)
    assert len(set(cluster[:4])) == 1 == len(set(cluster[4:]))
    assert cluster[0] != cluster[-1]
    assert run([[1.0, 2.0]], 1).tolist() == [0]
