"""Point clouds that kernels meet, and some that they should not."""

import numpy as np
import torch


def street(n: int, seed: int = 0) -> torch.Tensor:
    """(n, 3) float32 points, dense near the sensor as those of a sweep."""
    rng = np.random.default_rng(seed)
    distance, azimuth = rng.exponential(12, n) + 2, rng.uniform(-0.7, 0.7, n)
    xyz = np.stack([distance * np.cos(azimuth), distance * np.sin(azimuth), rng.uniform(-3, 1, n)], 1)
    return torch.from_numpy(xyz.astype(np.float32))


def degenerate() -> dict[str, torch.Tensor]:
    """(N, 3) float32 clouds by what is odd about them."""
    rng = np.random.default_rng(1)
    lattice = torch.from_numpy(rng.integers(0, 4, (200, 3)).astype(np.float32))
    broken = street(60)
    broken[[0, 7, 20], [0, 1, 2]] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    outlier = street(60)
    outlier[30] = torch.tensor([3e38, -3e38, 1e30])
    return {
        "nothing": torch.zeros(0, 3),
        "one point": torch.ones(1, 3),
        "all equal": torch.full((40, 3), 7.25),
        "duplicates and ties": lattice,
        "on a line": torch.arange(30.0)[:, None] * torch.tensor([1.0, 0, 0]),
        "not finite": broken,
        "nothing finite": torch.full((5, 3), torch.nan),
        "far away": street(60) + torch.tensor([1e6, -1e6, 1e4]),
        "an outlier": outlier,
        "tiny": street(60) * 1e-30,
    }


def squared_distances(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(N,) float32, every step rounded, as the kernels define them."""
    with np.errstate(over="ignore", invalid="ignore"):
        x, y, z = (np.asarray(points, np.float32) - np.asarray(centre, np.float32)).T
        return (x * x + y * y) + z * z
