"""Benchmark of a data set's reader beside the training step that its samples go into."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from kecor.config import Config, load_config
from kecor.datasets import build_dataset
from kecor.datasets.account.sample import evenly
from kecor.datasets.samples import Samples, collate
from kecor.detectors import build_detector
from kecor.errors import ConfigError, DataError
from kecor.tables import format_table

HEADERS = ["work", "CPU ms a frame", "frames/s", "share of the step"]


def benchmark_reading(config: Path, options: list[str], frames: int) -> str:
    """Time reading, the whole sample, and the training step of a config's detector, in CPU seconds of one process.

    ``read`` is the data set's reader with labels; ``sample`` is reading, augmentation and voxels, as in the first
    epoch; ``sample again`` is the same in later epochs, where frames are in memory; ``training step`` is forward,
    backward and the optimiser, at the config's batch size. Reading is a bottleneck where its share is above one.

    Args:
        config: a config file.
        options: ``key=value`` on top of it.
        frames: labelled training frames to use, spread evenly over the split.

    Raises:
        ConfigError: ``frames`` is below 1, or the config is invalid.
        DataError: no frame is labelled, or a file is faulty.
    """
    if frames < 1:
        raise ConfigError(f"--frames: got {frames}; expected at least 1")
    settings = load_config(config, options)
    dataset = build_dataset(settings.data, settings.data.train_split)
    ids = evenly([frame_id for frame_id in dataset.ids if dataset.is_labelled(frame_id)], frames)
    if not ids:
        raise DataError(f"{settings.data.root}: no frame of {settings.data.train_split!r} is labelled")
    samples = Samples(dataset.read, ids, settings.data, training=True, seed=settings.seed)
    samples[0]  # compiles kernels, fills the database of objects
    fresh = Samples(dataset.read, ids, settings.data, training=True, seed=settings.seed)
    fresh.transforms = samples.transforms
    times = {
        "read": cpu_seconds(dataset.read, ids),
        "sample": cpu_seconds(fresh.__getitem__, range(len(ids))),
        "sample again": cpu_seconds(fresh.__getitem__, [(1, i) for i in range(len(ids))]),
        "training step": step_seconds(settings, fresh),
    }
    step = times["training step"]
    rows = [[name, 1e3 * t, 1 / t, f"{t / step:.3f}"] for name, t in times.items()]
    title = f"{config}: {settings.data.type}, {len(ids)} frames, threads: {torch.get_num_threads()}"
    return f"{title}\n\n{format_table(HEADERS, rows)}"


def cpu_seconds(work: Callable[[Any], Any], items: Iterable[Any]) -> float:
    """Mean CPU seconds of ``work`` over ``items``."""
    items = list(items)
    started = time.process_time()
    for item in items:
        work(item)
    return max(time.process_time() - started, 1e-9) / len(items)


def step_seconds(config: Config, samples: Samples) -> float:
    """Mean CPU seconds a frame of a training step, after one step that is not counted."""
    detector = build_detector(config.detector, config.data, config.seed).train()
    optimizer = torch.optim.AdamW(detector.parameters(), config.schedule.lr)
    size = config.schedule.batch_size
    batches = [
        collate([samples[i] for i in range(start, min(start + size, len(samples)))])
        for start in range(0, len(samples), size)
    ]

    def step(batch: dict[str, Any]) -> None:
        losses = detector(**detector.data_preprocessor(batch, True), mode="loss")
        optimizer.zero_grad()
        sum(loss for name, loss in losses.items() if "loss" in name).backward()
        optimizer.step()

    step(batches[0])
    return cpu_seconds(step, batches) * len(batches) / len(samples)
