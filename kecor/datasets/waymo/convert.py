"""Converting the segments that Waymo publishes, several side by side."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from kecor.datasets.waymo import openpcdet, segments
from kecor.datasets.waymo.splits import Source, find_sources, read_list
from kecor.datasets.waymo.write_segment import Converted, Layout, convert_segment, segment_folder
from kecor.errors import DataError, KecorError
from kecor.files import read_json, write_json, write_text
from kecor.progress import progress_bar

_PARAMETERS = "conversion.json"


def convert(
    raw: str | Path,
    out: str | Path,
    layout: Layout = "kecor",
    workers: int | None = None,
    interval: int = 1,
    lists: str | Path | None = None,
    progress: bool = True,
) -> dict[str, Converted]:
    """Convert the segments in ``raw``; those that ``out`` already holds stay as they are.

    Segments are converted side by side and appear in ``out`` when they are whole, so a call that was interrupted goes
    on with the segments that are missing. A segment that cannot be read does not stop the others.

    Args:
        raw: see :func:`~kecor.datasets.waymo.splits.find_sources`.
        out: folder of the converted data set; ``ImageSets`` in it gains the segments.
        layout: ours (:mod:`~kecor.datasets.waymo.segments`) or OpenPCDet's (:mod:`~kecor.datasets.waymo.openpcdet`).
        workers: processes; as many as there are cores if None, in this process if 1.
        interval: keep every so many frames of each segment, the first included. Frames keep their numbers.
        lists: as ``raw``.
        progress: show a progress bar.

    Returns:
        Segment -> what it holds, of the segments converted now.

    Raises:
        DataError: an argument is wrong, or segments could not be read: the first fault, after all others are done.
    """
    if interval < 1 or (workers is not None and workers < 1):
        raise DataError(f"interval {interval}, workers {workers}: must be at least 1")
    sources = find_sources(raw, lists)
    home = Path(out) / (segments.SEGMENTS if layout == "kecor" else openpcdet.TAG)
    _claim(home, interval)
    missing = [source for source in sources if not segment_folder(home, source, layout).exists()]
    done: dict[str, Converted] = {}
    faults: list[str] = []
    job = partial(convert_segment, home=home, layout=layout, interval=interval)
    with progress_bar("Waymo", len(missing), "segment", shown=progress) as bar:
        for source, result in _each(job, missing, workers):
            bar.update()
            if isinstance(result, Converted):
                done[source.name] = result
            else:
                faults.append(str(result))
    there = [source for source in sources if segment_folder(home, source, layout).exists()]
    _write_lists(Path(out) / "ImageSets", there, layout)
    if faults:
        raise DataError(f"{len(faults)} of {len(sources)} segments were not converted; the first: {faults[0]}")
    return done


def _claim(home: Path, interval: int) -> None:
    """Note the interval in the folder, or find that it is the one noted."""
    path, parameters = home / _PARAMETERS, {"interval": interval}
    if not path.exists():
        write_json(path, parameters)
    elif read_json(path) != parameters:
        raise DataError(f"{home}: holds a conversion with {read_json(path)}; name another folder or the same interval")


def _each(
    job: partial, sources: Sequence[Source], workers: int | None
) -> Iterator[tuple[Source, Converted | DataError]]:
    """Run ``job`` for each segment, in this process or in several; yields results as they come."""
    count = min(workers or os.cpu_count() or 1, len(sources))
    if count <= 1:
        yield from ((source, job(source)) for source in sources)
        return
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(job, source): source for source in sources}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise KecorError("a process was killed, perhaps for memory; run again with fewer --workers") from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _write_lists(folder: Path, sources: Sequence[Source], layout: Layout) -> None:
    """Add the segments to the lists of their splits, in the layout's spelling."""
    for split in sorted({source.split for source in sources}):
        path = folder / f"{split}.txt"
        names = {*read_list(path), *(source.name for source in sources if source.split == split)}
        lines = sorted(names) if layout == "kecor" else [f"{openpcdet.folder_name(n)}.tfrecord" for n in sorted(names)]
        write_text(path, "".join(f"{line}\n" for line in lines))
