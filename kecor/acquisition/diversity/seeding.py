"""k-means++ seeding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from kecor.acquisition.diversity.distances import Cover, VectorDistances


def kmeans_plus_plus(
    vectors: np.ndarray, candidates: np.ndarray, rng: np.random.Generator, known: np.ndarray | None = None
) -> Iterator[tuple[int, float]]:
    """Draw rows of ``vectors`` with probability proportional to D^2, the squared distance to the nearest drawn row.

    Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007. Without ``known`` vectors the
    first row is the longest one, with its squared length as D^2. Copies of drawn rows come last, in their order. Each
    draw takes O(N D).

    Args:
        vectors: (N, D) float32.
        candidates: (N,) bool, the rows that may be drawn.
        rng: draws one number per row.
        known: (L, D) vectors that count as drawn from the start.

    Yields:
        Each row and its D^2 when drawn.
    """
    rows = torch.from_numpy(vectors)
    centres = rows[:0] if known is None else torch.from_numpy(known)
    cover = Cover(VectorDistances(rows, centres), np.ones(len(vectors), bool))
    lengths = torch.linalg.vecdot(rows, rows).double().numpy()

    def draw(not_copies: np.ndarray) -> int:
        if not cover.n_centres:
            return int(np.argmax(np.where(not_copies, lengths, -1.0)))
        mass = np.where(not_copies, cover.near, 0.0)
        total = np.cumsum(mass)
        drawn = np.searchsorted(total, rng.random() * total[-1], side="right")
        return int(min(drawn, np.flatnonzero(mass)[-1]))  # rounding may lead past the last row

    for row, distance in cover.picks(candidates, draw):
        yield row, float(distance**2 if np.isfinite(distance) else lengths[row])
