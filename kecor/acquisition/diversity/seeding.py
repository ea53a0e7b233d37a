"""Sampling by squared distance, as k-means++ seeds its centres."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from kecor.acquisition.diversity.distances import Cover, VectorDistances


def kmeans_plus_plus(
    vectors: np.ndarray, candidates: np.ndarray, rng: np.random.Generator, known: np.ndarray | None = None
) -> Iterator[tuple[int, float]]:
    """Rows of ``vectors`` and their D^2 when drawn: each with a probability that goes with D^2, the squared distance to
    the nearest row drawn before (Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007).

    With nothing ``known`` the first row is the longest one, and its D^2 the squared length. Copies of what was drawn
    come last, the first first. Each draw costs O(N D).

    Args:
        vectors: (N, D) float32.
        candidates: (N,) bool, which of them may be drawn.
        rng: draws one number a row.
        known: (L, D) vectors that count as drawn from the start.
    """
    rows = torch.from_numpy(vectors)
    centres = rows[:0] if known is None else torch.from_numpy(known)
    cover = Cover(VectorDistances(rows, centres), np.ones(len(vectors), bool))
    lengths = torch.linalg.vecdot(rows, rows).double().numpy()

    def prefer(fresh: np.ndarray) -> int:
        if not cover.n_centres:
            return int(np.argmax(np.where(fresh, lengths, -1.0)))
        mass = np.where(fresh, cover.near, 0.0)
        total = np.cumsum(mass)
        drawn = np.searchsorted(total, rng.random() * total[-1], side="right")
        return int(min(drawn, np.flatnonzero(mass)[-1]))  # rounding may lead beyond the last

    for row, distance in cover.picks(candidates, prefer):
        yield row, float(distance**2 if np.isfinite(distance) else lengths[row])
