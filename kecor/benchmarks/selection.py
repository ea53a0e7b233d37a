"""Benchmark of KECOR's selection: time, memory and picks, compared with a plain reference in the same run."""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kecor.benchmarks.measure import Meter, in_new_process
from kecor.benchmarks.plain_selection import BATCH, plain_selection
from kecor.benchmarks.synthetic import bonus_of, frames_in, write_frames
from kecor.coding_rate import GreedyCodingRate
from kecor.engine.malloc import tune_malloc
from kecor.ntk import PoolKernel, ProxyHead, RoiFrames, Scaling, build_kernel, fit_proxy, training_pairs
from kecor.progress import progress_bar
from kecor.structures import FrameSet
from kecor.tables import format_table

SIGMA, RANK = 0.1, 512
ARRANGEMENTS = ("per_roi", "flatten")
CONTENDERS = ("plain", "float64", "float32", "bfloat16")
HEADERS = [
    "frames", "arrangement", "selector", "fit s", "selection s", "speed-up", "with fit", "extra MB", "evaluated",
    "overlap", "objective",
]  # fmt: skip


def benchmark_selection(
    sizes: list[int],
    arrangements: list[str],
    contenders: list[str],
    plain_limit: int,
    picks: int,
    labelled: int,
    rois: int,
    channels: int,
    folder: Path | None,
    device: str,
) -> str:
    """A table with one row per pool size, arrangement and contender.

    ``speed-up`` is relative to the plain reference with the same size and arrangement; ``with fit`` is the same ratio
    including the fit of the proxy head. ``extra MB`` is the peak memory above the memory at the start, without mapped
    feature files. ``evaluated`` is the number of gains computed after the first pass. ``overlap`` and ``objective``
    (computed in float64, conditioned on the labelled frames) compare the picks with those of float64, or of plain if
    float64 did not run.

    Args:
        sizes: pool sizes in frames.
        arrangements: of the proxy head.
        contenders: ``plain`` or a precision of ours.
        plain_limit: largest pool for plain and float64.
        picks: number of frames to pick.
        labelled: number of labelled frames.
        rois, channels: shape of the features of a frame.
        folder: where to write the features; the system's temporary folder if None.
        device: device of our selectors.
    """
    rows = []
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        write_frames(Path(directory) / "pool", max(sizes), rois, channels, seed=1)
        write_frames(Path(directory) / "labelled", labelled, rois, channels, seed=2)
        jobs = [
            (n, arrangement, contender)
            for n, arrangement, contender in itertools.product(sizes, arrangements, contenders)
            if n <= plain_limit or contender not in ("plain", "float64")
        ]
        results: dict[tuple[int, str, str], dict[str, Any]] = {}
        with progress_bar("benchmark", len(jobs), "run") as bar:
            for n, arrangement, contender in jobs:
                job = (Path(directory), n, arrangement, contender, min(picks, n), device, torch.get_num_threads())
                results[n, arrangement, contender] = in_new_process(_run, *job)
                bar.update()
    for n, arrangement, contender in jobs:
        found = results[n, arrangement, contender]
        plain = results.get((n, arrangement, "plain"))
        exact = results.get((n, arrangement, "float64")) or plain
        rows.append([n, arrangement, contender, *_cells(found, plain, exact)])
    return format_table(HEADERS, rows)


def _cells(found: dict[str, Any], plain: dict[str, Any] | None, exact: dict[str, Any] | None) -> list[Any]:
    faster = plain and plain["selection"] / found["selection"]
    with_fit = plain and (plain["selection"] + plain["fit"]) / (found["selection"] + found["fit"])
    overlap = exact and f"{len(np.intersect1d(found['picks'], exact['picks'])) / len(found['picks']):.2f}"
    objective = exact and f"{found['objective'] / exact['objective']:.4f}"
    return [
        found["fit"], found["selection"], faster, with_fit, round(found["memory"] / 1e6), found["evaluated"],
        overlap, objective,
    ]  # fmt: skip


def _run(
    place: Path, n: int, arrangement: str, contender: str, count: int, device: str, threads: int
) -> dict[str, Any]:
    """Run one contender on the first ``n`` frames of the pool."""
    torch.set_num_threads(threads)
    tune_malloc()
    pool, labelled = frames_in(place / "pool", n), frames_in(place / "labelled")
    bonus, normalise = bonus_of(pool), arrangement == "per_roi"
    started = time.perf_counter()
    scaling = RoiFrames(labelled, arrangement, device=device).statistics()
    known = RoiFrames(labelled, arrangement, scaling, device=device)
    pairs = training_pairs(known, labelled.feats["targets"])
    fit = fit_proxy(*pairs, torch.Generator().manual_seed(0))
    fit_seconds = time.perf_counter() - started
    evaluated = None
    with Meter() as meter:
        if contender == "plain":
            arrays = _standardised(pool, arrangement, scaling), _standardised(labelled, arrangement, scaling)
            layers = [layer for layer in fit.head.layers if isinstance(layer, torch.nn.Linear)]
            batch = BATCH[arrangement]
            picks = plain_selection(*arrays, layers, RANK, SIGMA, bonus, count, normalise, batch, seed=0)
        else:
            dtype = torch.float64 if contender == "float64" else torch.float32
            kernel = _kernel(pool, labelled, arrangement, scaling, fit.head, dtype, contender, normalise, device)
            greedy = GreedyCodingRate(kernel, SIGMA, bonus)
            picks = np.array([pick.index for pick in itertools.islice(greedy.picks(), count)])
            evaluated = greedy.evaluated
    chosen = FrameSet(pool.ids[picks], {name: array[picks] for name, array in pool.feats.items()})
    exact = _kernel(chosen, labelled, arrangement, scaling, fit.head, torch.float64, "float64", normalise, device)
    objective = float(bonus[picks].sum()) + _coding_rate(exact, picks)
    return {
        "fit": fit_seconds, "selection": meter.seconds, "memory": meter.extra_bytes, "evaluated": evaluated,
        "picks": picks, "objective": objective,
    }  # fmt: skip


def _coding_rate(kernel: PoolKernel, picks: np.ndarray) -> float:
    """Total gain in coding rate of ``picks``, in their order; ``kernel`` is over the picked frames sorted by id."""
    search, total = GreedyCodingRate(kernel, SIGMA), 0.0
    for position in np.argsort(np.argsort(picks)):
        search.posterior(np.array([position]))
        total += float(search.rate_gains()[position])
        search.condition_on(int(position))
    return total


def _standardised(frames: FrameSet, arrangement: str, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Standardised float64 features (N, R, C) and RoI weights (N, R); (N, 1, R * C) and ones with ``flatten``."""
    x = (np.asarray(frames.feats["roi_features"], np.float64) - scaling.mean) / scaling.std
    if arrangement == "flatten":
        return x.reshape(len(x), 1, -1), np.ones((len(x), 1))
    scores = np.asarray(frames.feats["roi_scores"], np.float64)
    return x, scores / scores.sum(1, keepdims=True)


def _kernel(
    pool: FrameSet,
    labelled: FrameSet,
    arrangement: str,
    scaling: Scaling,
    head: ProxyHead,
    dtype: torch.dtype,
    precision: str,
    normalise: bool,
    device: str,
) -> PoolKernel:
    known, unknown = (RoiFrames(frames, arrangement, scaling, dtype, device) for frames in (labelled, pool))
    return PoolKernel(build_kernel("ntk", known, head.to(dtype)), unknown, known, precision, normalise)
