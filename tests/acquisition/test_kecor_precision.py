"""What lower precisions pick, judged by the objective in double precision."""

import numpy as np
import pytest
import torch

from kecor.acquisition.kecor import Kecor
from kecor.acquisition.uncertainty.measures import class_entropy
from kecor.ntk import frame_kernel
from kecor.structures import Budget, FrameSet
from tests.acquisition.worlds import detections

N, N_LABELLED, N_PICKS, SIGMA, WEIGHT = 240, 50, 50, 0.1, 0.5


def clustered(n, seed, prefix):
    """Frames of RoIs of several kinds, each frame with a preference of its own, some kinds rare."""
    rng = np.random.default_rng(seed)
    kinds = 2 * np.random.default_rng(0).normal(size=(15, 16))
    frequency = np.random.default_rng(1).dirichlet(np.full(15, 0.5), size=12)
    features = np.stack(
        [kinds[rng.choice(15, size=6, p=p)] for p in frequency[rng.integers(12, size=n)]]
    ) + 0.5 * rng.normal(size=(n, 6, 16))
    feats = {
        "roi_features": features.astype(np.float16),
        "roi_mask": np.arange(6) < rng.integers(1, 7, size=(n, 1)),
        "roi_scores": rng.uniform(0.1, 1, size=(n, 6)).astype(np.float32),
        "targets": np.tanh(features @ np.random.default_rng(2).normal(size=(16, 5))).astype(np.float32),
    }
    return FrameSet(
        [f"{prefix}{i:04d}" for i in range(n)], feats, [detections(rng, int(k)) for k in rng.integers(0, 9, n)]
    )


POOL, LABELLED = clustered(N, 3, "p"), clustered(N_LABELLED, 4, "l")


def method(precision, **options):
    return Kecor(SIGMA, WEIGHT, kernel={"steps": 60, "precision": precision, **options})


def whole_kernel(precision, **options):
    """(N + L, N + L) kernel among the pool and the labelled frames, with the proxy head that :func:`picked` has."""
    generator = torch.Generator().manual_seed(int(np.random.default_rng(0).integers(2**62)))
    kernel, _ = frame_kernel(POOL, LABELLED, method(precision, **options).options, generator)
    parts = [positions for positions, *_ in kernel.scan()]
    for k in range(N):
        kernel.condition_on(k)
    cross = np.concatenate([kernel.cross(positions, 0) for positions in parts])
    return np.block([[cross[:, N_LABELLED:], cross[:, :N_LABELLED]], [cross[:, :N_LABELLED].T, kernel.known]])


def picked(precision, **options):
    return method(precision, **options).select(POOL, LABELLED, Budget(N_PICKS), np.random.default_rng(0)).indices


def objective(kernel, chosen):
    def log_det(rows):
        return np.linalg.slogdet(kernel[np.ix_(rows, rows)] / SIGMA**2 + np.eye(len(rows)))[1]

    labelled = np.arange(N, N + N_LABELLED)
    rate = 0.5 * (log_det(np.concatenate([labelled, chosen])) - log_det(labelled))
    return rate + WEIGHT * class_entropy(POOL.expected_counts())[chosen].sum()


@pytest.mark.parametrize(
    "options",
    [{}, {"normalise": False}, {"arrangement": "flatten"}, {"output": "full", "arrangement": "flatten"}],
    ids=str,
)
def test_lower_precisions_pick_what_double_precision_does_or_as_good(options):
    kernel, exact = whole_kernel("float64", **options), picked("float64", **options)
    best = objective(kernel, exact)
    random = np.random.default_rng(0).permutation(N)[:N_PICKS]
    assert objective(kernel, random) < 0.9 * best  # it does matter what is picked
    for precision, overlap in (("float32", 0.99), ("bfloat16", 0.9)):
        found = picked(precision, **options)
        assert len(np.intersect1d(found, exact)) >= overlap * N_PICKS
        assert objective(kernel, found) >= 0.999 * best


def test_gains_are_the_objectives_and_no_single_exchange_of_the_last_pick_is_better():
    kernel = whole_kernel("float64")
    selection = method("float64").select(POOL, LABELLED, Budget(N_PICKS), np.random.default_rng(0))
    assert selection.gains.sum() == pytest.approx(objective(kernel, selection.indices), rel=1e-8)
    before = selection.indices[:-1]
    values = [objective(kernel, [*before, j]) for j in np.setdiff1d(np.arange(N), before)]
    assert objective(kernel, selection.indices) >= max(values) - 1e-9
