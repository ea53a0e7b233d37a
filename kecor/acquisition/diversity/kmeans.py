"""k-means clustering, on a random sample of large sets."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kecor.acquisition.diversity.distances import squared_distances

SAMPLE, SAMPLE_PER_CLUSTER = 20_000, 64
"""Centres are fitted to this many vectors: the larger of SAMPLE and SAMPLE_PER_CLUSTER per cluster."""
ITERATIONS = 100
ROWS = 4096
"""Number of vectors compared with all centres at once."""


def kmeans(vectors: Tensor, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """(N,) cluster of each vector (N, D); at most ``n_clusters``, fewer if fewer vectors are distinct.

    Lloyd's algorithm with k-means++ initialisation (Arthur and Vassilvitskii, SODA 2007). For large sets the centres
    are fitted to a random sample; every vector is then assigned to the nearest centre.
    """
    vectors = _scaled(vectors)
    vectors = vectors - vectors.double().mean(0).to(vectors)  # products of centred vectors have smaller rounding errors
    size = max(SAMPLE, SAMPLE_PER_CLUSTER * n_clusters)
    sample = vectors
    if len(vectors) > size:
        sample = vectors[torch.from_numpy(np.sort(rng.choice(len(vectors), size, replace=False)))]
    centres, cluster = _initial_centres(sample, n_clusters, rng), None
    for _ in range(ITERATIONS):
        before, cluster = cluster, _nearest(sample, centres)
        if before is not None and torch.equal(before, cluster):
            break
        counts = torch.bincount(cluster, minlength=len(centres))
        sums = torch.zeros_like(centres).index_add_(0, cluster, sample)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
    return _nearest(vectors, centres).numpy()


def _scaled(vectors: Tensor) -> Tensor:
    """``vectors`` times a power of two, which is exact, so that squares of huge values stay finite."""
    exponent = np.frexp(float(vectors.abs().max()) if vectors.numel() else 0.0)[1]
    return vectors * 2.0 ** -float(np.clip(exponent, -120, 120))


def _initial_centres(vectors: Tensor, n: int, rng: np.random.Generator) -> Tensor:
    """At most ``n`` vectors drawn by k-means++, the first one uniformly."""
    chosen = [int(rng.integers(len(vectors)))]
    near = squared_distances(vectors, vectors[chosen[0]]).double().numpy()
    while len(chosen) < min(n, len(vectors)) and near.any():
        total = np.cumsum(near)
        chosen.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
        near = np.minimum(near, squared_distances(vectors, vectors[chosen[-1]]).double().numpy())
    return vectors[chosen]


def _nearest(vectors: Tensor, centres: Tensor) -> Tensor:
    """(N,) nearest centre of each vector; the first of equal ones."""
    norms = torch.linalg.vecdot(centres, centres)
    parts = vectors.split(ROWS)
    return torch.cat([torch.addmm(norms, part, centres.T, alpha=-2).argmin(1) for part in parts])
