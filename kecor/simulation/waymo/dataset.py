"""Writing a simulated data set as Waymo publishes its own, and converting it."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from kecor.datasets.waymo import convert
from kecor.datasets.waymo.write_segment import Converted
from kecor.errors import DataError
from kecor.files import read_json, write_json
from kecor.lock import holds_nothing
from kecor.progress import progress_bar
from kecor.simulation.casting import open3d
from kecor.simulation.waymo.drive import random_drive, simulate_frame
from kecor.simulation.waymo.sensor import TURN
from kecor.simulation.waymo.tfrecords import write_tfrecord

PARAMETERS_NAME = "simulation.json"
RAW = "raw"


def write_waymo(
    out: str | Path,
    segments: int,
    frames: int = 10,
    seed: int = 0,
    val_fraction: float = 0.25,
    progress: bool = True,
    workers: int | None = None,
) -> dict[str, Converted]:
    """Simulate drives into ``out/raw/{training,validation}/*.tfrecord`` and convert them into ``out``.

    The same arguments give the same frames. An interrupted call continues where it stopped.

    Args:
        out: the folder; made if missing.
        segments: number of drives.
        frames: frames of each drive, a tenth of a second apart.
        seed: drive i is a function of (seed, i).
        val_fraction: share of the drives in the split ``val``; the others are ``train``.
        progress: show progress bars.
        workers: processes; as many as there are cores if None, in this process if 1.

    Returns:
        Segment -> what it holds, of the segments converted now.

    Raises:
        DataError: an argument is wrong, or ``out`` holds something else.
        KecorError: Open3D cannot be imported.
    """
    out = Path(out)
    if segments < 1 or frames < 1 or seed < 0 or not 0 <= val_fraction < 1:
        raise DataError(f"segments {segments}, frames {frames}, seed {seed}, val_fraction {val_fraction}: out of range")
    open3d()
    _claim(out, {"segments": segments, "frames": frames, "seed": seed, "val_fraction": val_fraction})
    order = np.random.default_rng(seed).permutation(segments)
    validation = set(order[: round(val_fraction * segments)].tolist())
    folders = ["validation" if i in validation else "training" for i in range(segments)]
    names = [f"simulated_{seed}_{i:04d}" for i in range(segments)]
    paths = [out / RAW / f / f"segment-{name}_with_camera_labels.tfrecord" for f, name in zip(folders, names)]
    missing = [(path, i) for i, path in enumerate(paths) if not path.exists()]
    job = partial(_write_drive, seed=seed, frames=frames)
    with progress_bar("drives", len(missing), "drive", shown=progress) as bar:
        for _ in _each(job, missing, workers):
            bar.update()
    return convert(out / RAW, out, workers=workers, progress=progress)


def _claim(out: Path, parameters: dict[str, float]) -> None:
    """Mark ``out`` as this simulation's, or find that it is."""
    path = out / PARAMETERS_NAME
    if path.exists():
        if read_json(path) != parameters:
            raise DataError(f"{path}: another simulation; name another folder, or delete it")
    elif not holds_nothing(out):
        raise DataError(f"{out}: exists and is no simulated data set; name an empty or a new folder")
    else:
        write_json(path, parameters)


def _write_drive(item: tuple[Path, int], seed: int, frames: int) -> None:
    path, index = item
    rng = np.random.default_rng([seed, index])
    drive, name = random_drive(rng, frames * TURN), f"simulated_{seed}_{index:04d}"
    write_tfrecord(path, (simulate_frame(drive, name, number, rng) for number in range(frames)))


def _each(job: partial, items: list, workers: int | None):
    """Run ``job`` for each item, in this process or in several; yields as they end."""
    count = min(workers or os.cpu_count() or 1, len(items))
    if count <= 1:
        yield from map(job, items)
        return
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(job, items)
