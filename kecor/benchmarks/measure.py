"""Time and memory of a function, each measured in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")


def in_own_process(function: Callable[..., Any], *args: Any) -> Any:
    """What ``function(*args)`` returns when called in a fresh process, so that nothing of an earlier run is warm."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def own_memory() -> float:
    """Bytes this process holds beyond mapped files; where the system does not tell, its peak, files included."""
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return next(int(line.split()[1]) * 1024.0 for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))


class Meter:
    """Within it, the highest memory held is watched.

    Attributes:
        seconds: from entering to leaving.
        extra_bytes: the most that was held beyond what was at the start.
    """

    def __enter__(self) -> Meter:
        self._start, self._before = time.perf_counter(), own_memory()
        self._highest, self._done = self._before, threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.seconds = time.perf_counter() - self._start
        self._done.set()
        self._watch.join()
        self.extra_bytes = self._highest - self._before

    def _sample(self) -> None:
        while not self._done.wait(0.02):
            self._highest = max(self._highest, own_memory())
