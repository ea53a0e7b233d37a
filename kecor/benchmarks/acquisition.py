"""Benchmark of CRB's density balancing: time and picks, compared with a plain reference in the same run."""

from __future__ import annotations

import itertools
import time

import numpy as np

from kecor.acquisition.diversity.duplicates import Copies
from kecor.acquisition.gradient.density import GRID, DensityPrior, balance, box_densities, kernel_sums, uniform_prior
from kecor.benchmarks.plain_crb import plain_balance
from kecor.errors import ConfigError
from kecor.structures import Detections, FrameSet
from kecor.tables import format_table

SIZES = np.array([[3.9, 1.6, 1.6], [0.8, 0.6, 1.7], [1.8, 0.6, 1.7]])
"""Length, width and height of a car, a pedestrian and a cyclist, metres."""
SHARES = np.array([0.75, 0.15, 0.1])
"""Relative frequency of each class."""
HEADERS = ["frames", "picks", "boxes", "plain s", "ours s", "speed-up", "same picks"]


def benchmark_acquisition(candidates: int, picks: int, boxes: float, seed: int) -> str:
    """Time the last step of CRB, which picks the frames whose boxes have the most even point densities.

    The plain reference fits a kernel density estimate for every candidate, class and pick. Ours computes the sum of
    kernels of each frame once (included in its time) and adds these sums. Both use the same prior and bandwidths. The
    frames are synthetic, with cars, pedestrians and cyclists at all distances.

    Args:
        candidates: number of frames to choose from.
        picks: number of frames to pick.
        boxes: mean number of boxes per frame.
        seed: of the synthetic frames.

    Raises:
        ConfigError: there are no boxes, or fewer candidates than picks.
    """
    if not 1 <= picks <= candidates or boxes <= 0:
        raise ConfigError(
            f"--candidates {candidates} --picks {picks} --boxes {boxes:g}: picks must be between 1 and candidates, "
            "and boxes above 0"
        )
    frames = synthetic_detections(candidates, boxes, seed)
    densities = box_densities(frames)
    labels = [found.labels for found in frames.detections]
    everything = np.concatenate(labels)
    prior = uniform_prior(np.concatenate(densities), everything, 0.95, everything, None)
    started = time.perf_counter()
    ours = incremental_balance(densities, labels, prior, picks)
    between = time.perf_counter()
    classes = prior.classes.tolist()
    plain = plain_balance(densities, labels, classes, prior.low, prior.high, prior.bandwidth, GRID, picks)
    times = time.perf_counter() - between, between - started
    same = "yes" if ours == plain else "no"
    row = [candidates, picks, len(everything), times[0], f"{times[1]:.3f}", times[0] / times[1], same]
    return format_table(HEADERS, [row])


def incremental_balance(
    densities: list[np.ndarray], labels: list[np.ndarray], prior: DensityPrior, count: int
) -> list[int]:
    """Rows of the first ``count`` frames in greedy order; the frames contain no duplicates."""
    unlike = Copies(np.arange(len(densities), dtype=np.float64)[:, None])
    order = balance(*kernel_sums(densities, labels, prior), prior, unlike)
    return [row for row, _ in itertools.islice(order, count)]


def synthetic_detections(n: int, boxes: float, seed: int) -> FrameSet:
    """``n`` frames with ``boxes`` boxes on average; the points in a box fall with the square of its distance."""
    rng = np.random.default_rng(seed)
    found = []
    for count in rng.poisson(boxes, n):
        labels = rng.choice(len(SHARES), count, p=SHARES)
        distance = rng.uniform(5, 70, count)
        sizes = SIZES[labels] * rng.normal(1, 0.05, (count, 3))
        points = rng.poisson(2e5 / distance**2 * sizes[:, 2] * sizes[:, 1:2].max(1) / 4)
        placed = np.column_stack([distance, np.zeros((count, 2)), sizes, np.zeros(count)]).astype(np.float32)
        found.append(Detections(placed, np.ones(count), labels, n_points=points))
    return FrameSet(np.array([f"{i:06d}" for i in range(n)]), detections=found)
