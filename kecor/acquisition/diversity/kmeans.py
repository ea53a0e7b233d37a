"""k-means: clusters of vectors, for sets too large to be clustered whole."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kecor.acquisition.diversity.distances import squared_distances

SAMPLE, SAMPLE_PER_CLUSTER = 20_000, 64
"""Vectors whose clusters are sought: the greater of the first and of the second times the number of clusters."""
ITERATIONS = 100
ROWS = 4096
"""Vectors compared with all centres at once."""


def kmeans(vectors: Tensor, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """(N,) cluster of each vector (N, D), of at most ``n_clusters``: fewer where fewer vectors differ.

    Lloyd's algorithm from centres drawn by k-means++ (Arthur and Vassilvitskii, SODA 2007). Of many vectors the centres
    are those of a random sample; every vector then belongs to the nearest.
    """
    vectors = vectors - vectors.double().mean(0).to(vectors)  # products of centred vectors lose less to rounding
    size = max(SAMPLE, SAMPLE_PER_CLUSTER * n_clusters)
    sample = vectors
    if len(vectors) > size:
        sample = vectors[torch.from_numpy(np.sort(rng.choice(len(vectors), size, replace=False)))]
    centres, cluster = _spread(sample, n_clusters, rng), None
    for _ in range(ITERATIONS):
        before, cluster = cluster, _nearest(sample, centres)
        if before is not None and torch.equal(before, cluster):
            break
        counts = torch.bincount(cluster, minlength=len(centres))
        sums = torch.zeros_like(centres).index_add_(0, cluster, sample)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
    return _nearest(vectors, centres).numpy()


def _spread(vectors: Tensor, n: int, rng: np.random.Generator) -> Tensor:
    """At most ``n`` of the vectors, each drawn in proportion to its squared distance to the nearest of those before."""
    chosen = [int(rng.integers(len(vectors)))]
    near = squared_distances(vectors, vectors[chosen[0]]).double().numpy()
    while len(chosen) < min(n, len(vectors)) and near.any():
        heap = np.cumsum(near)
        chosen.append(int(np.searchsorted(heap, rng.random() * heap[-1], side="right")))
        near = np.minimum(near, squared_distances(vectors, vectors[chosen[-1]]).double().numpy())
    return vectors[chosen]


def _nearest(vectors: Tensor, centres: Tensor) -> Tensor:
    """(N,) nearest centre of each vector; the first of equals."""
    norms = torch.linalg.vecdot(centres, centres)
    parts = vectors.split(ROWS)
    return torch.cat([torch.addmm(norms, part, centres.T, alpha=-2).argmin(1) for part in parts])
