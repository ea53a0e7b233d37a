"""Writing a simulated data set in the KITTI object layout."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from kecor.datasets.kitti.calibration import format_calibration
from kecor.datasets.kitti.files import POINT_BYTES
from kecor.datasets.kitti.images import DEFAULT_IMAGE_SIZE, SIZES_NAME
from kecor.datasets.kitti.labels import format_objects, read_objects
from kecor.errors import DataError
from kecor.files import read_json, write_atomic, write_json, write_text
from kecor.lock import holds_nothing
from kecor.simulation.casting import open3d
from kecor.simulation.frames import simulate
from kecor.simulation.scenes.replay import Layouts, find_layouts

PARAMETERS_NAME = "simulation.json"
VERSION = 1
"""Raised with every change that changes what a seed gives."""


def write_dataset(
    out: str | Path,
    frames: int,
    seed: int = 0,
    layouts: str | Path | None = None,
    full_sweep: bool = False,
    val_fraction: float = 0.25,
    progress: bool = True,
    workers: int | None = None,
) -> dict[str, Any]:
    """Simulate a data set into ``out``: ``training/{velodyne,label_2,calib}``, ``ImageSets``, ``image_sizes.csv``.

    The same arguments give the same bytes, whatever ``workers`` is. An interrupted run continues where it
    stopped; a complete data set is not changed.

    Args:
        out: the folder; made if missing.
        frames: how many frames to write, ids 000000 and up.
        seed: frame i is a function of (seed, i).
        layouts: a folder of KITTI label files to replay (``layout_ids.txt`` then says which frame is which);
            otherwise the scenes are random.
        full_sweep: write all 360 degrees instead of the camera's view.
        val_fraction: share of the frames in the split ``val``; the others are ``train``, all are ``trainval``.
        progress: show a progress bar.
        workers: processes; as many as there are cores if None, in this process if 1.

    Returns:
        ``frames``, ``simulated`` (of them, in this call), ``seconds``, ``points`` (mean number a frame), ``objects``
        (name -> number of label lines).

    Raises:
        DataError: a bad argument, or ``out`` holds something else; says what to do.
        KecorError: Open3D cannot be imported.
    """
    out, started = Path(out), time.perf_counter()
    if frames < 1 or seed < 0 or not 0 <= val_fraction < 1:
        raise DataError(f"frames {frames}, seed {seed}, val_fraction {val_fraction}: need >= 1, >= 0 and in [0, 1)")
    open3d()
    source = find_layouts(layouts, frames, seed) if layouts is not None else None
    _claim(out, _parameters(frames, seed, layouts, full_sweep, val_fraction))
    missing = [i for i in range(frames) if not _paths(out, i)["label_2"].exists()]
    job = partial(_write_frame, out, seed, layouts=source, full_sweep=full_sweep)
    for _ in tqdm(
        _each(job, missing, workers), total=len(missing), desc="simulate", unit="frame", disable=not progress
    ):
        pass
    _write_lists(out, frames, seed, val_fraction, source)
    return _summary(out, frames, len(missing), time.perf_counter() - started)


def _parameters(
    frames: int, seed: int, layouts: str | Path | None, full_sweep: bool, val_fraction: float
) -> dict[str, Any]:
    folder = None if layouts is None else str(Path(layouts).resolve())
    return {
        "version": VERSION,
        "frames": frames,
        "seed": seed,
        "layouts": folder,
        "full_sweep": full_sweep,
        "val_fraction": val_fraction,
    }


def _claim(out: Path, parameters: dict[str, Any]) -> None:
    """Mark ``out`` as this simulation's, or find that it is."""
    path = out / PARAMETERS_NAME
    if path.exists():
        found = read_json(path)
        if found != parameters:
            differing = [key for key in parameters if not isinstance(found, dict) or found.get(key) != parameters[key]]
            keys = ", ".join(differing) or "further keys"
            raise DataError(
                f"{out}: holds another simulation ({path.name} differs in {keys}); name another folder, or delete it"
            )
    elif not holds_nothing(out):
        raise DataError(f"{out}: exists and is no simulated data set; name an empty or a new folder")
    else:
        write_json(path, parameters)


def _paths(out: Path, index: int) -> dict[str, Path]:
    ends = {"velodyne": "bin", "calib": "txt", "label_2": "txt"}
    return {kind: out / "training" / kind / f"{index:06d}.{end}" for kind, end in ends.items()}


def _write_frame(out: Path, seed: int, index: int, layouts: Layouts | None, full_sweep: bool) -> None:
    """Simulate and write one frame, its label file last: where that is, the frame is whole."""
    frame, paths = simulate(seed, index, layouts, full_sweep), _paths(out, index)
    write_atomic(paths["velodyne"], lambda stream: stream.write(frame.points.astype("<f4").tobytes()))
    write_text(paths["calib"], format_calibration(frame.calib))
    write_text(paths["label_2"], format_objects(frame.objects))


def _each(job: partial, indices: list[int], workers: int | None) -> Iterator[None]:
    """Run ``job`` for each index, in this process or in several; yields as they end."""
    count = min(workers or os.cpu_count() or 1, len(indices))
    if count <= 1:
        yield from map(job, indices)
        return
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(job, index) for index in indices]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _write_lists(out: Path, frames: int, seed: int, val_fraction: float, layouts: Layouts | None) -> None:
    """Write split lists, image sizes and, for a replay, which frame replays which."""
    order = np.random.default_rng(seed).permutation(frames)
    count = round(val_fraction * frames)
    splits = {"val": order[:count], "train": order[count:], "trainval": order}
    for name, indices in splits.items():
        write_text(out / "ImageSets" / f"{name}.txt", _lines(f"{i:06d}" for i in sorted(indices)))
    sizes = [DEFAULT_IMAGE_SIZE if layouts is None else layouts.image_size(layouts.ids[i]) for i in range(frames)]
    rows = (f"{i:06d},{width},{height}" for i, (width, height) in enumerate(sizes))
    write_text(out / SIZES_NAME, _lines(["frame,width,height", *rows]))
    if layouts is not None:
        write_text(out / "layout_ids.txt", _lines(f"{i:06d} {name}" for i, name in enumerate(layouts.ids)))


def _lines(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _summary(out: Path, frames: int, simulated: int, seconds: float) -> dict[str, Any]:
    objects: Counter[str] = Counter()
    size = 0
    for index in range(frames):
        paths = _paths(out, index)
        objects.update(read_objects(paths["label_2"]).names.tolist())
        size += paths["velodyne"].stat().st_size
    return {
        "frames": frames,
        "simulated": simulated,
        "seconds": seconds,
        "points": size / POINT_BYTES / frames,
        "objects": dict(objects.most_common()),
    }
