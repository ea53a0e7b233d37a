"""Measures time and memory of functions in separate processes."""

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


def in_new_process(function: Callable[..., Any], *args: Any) -> Any:
    """Result of ``function(*args)``, called in a new process, so that earlier runs have no influence."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def private_memory() -> float:
    """Memory of this process in bytes without mapped files; where /proc is missing, its peak including files."""
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return next(int(line.split()[1]) * 1024.0 for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))


class Meter:
    """Context manager that measures time and peak memory.

    Attributes:
        seconds: time spent in the context.
        extra_bytes: peak memory above the memory at the start.
    """

    def __enter__(self) -> Meter:
        self._start, self._initial = time.perf_counter(), private_memory()
        self._peak, self._done = self._initial, threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.seconds = time.perf_counter() - self._start
        self._done.set()
        self._watch.join()
        self.extra_bytes = self._peak - self._initial

    def _sample(self) -> None:
        while not self._done.wait(0.02):
            self._peak = max(self._peak, private_memory())
