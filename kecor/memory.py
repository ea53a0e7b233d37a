"""How much memory is free, to compare with what a file claims to hold."""

from __future__ import annotations

import math
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> float:
    """Bytes that can be allocated without swapping, within the limit of a container; infinite where it is unknown."""
    return max(0.0, min(_of_machine(), _of_container()))


def _of_machine() -> float:
    try:
        lines = MEMINFO.read_text().splitlines()
        return next(int(line.split()[1]) * 1024.0 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux
        return math.inf


def _of_container() -> float:
    """What a cgroup's limit leaves (Linux documentation, cgroup-v2: memory.max, memory.current)."""
    try:
        limit, used = ((CGROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
    except OSError:
        return math.inf
    return math.inf if limit == "max" else float(limit) - _not_cache(int(used))


def _not_cache(used: int) -> int:
    """``used`` without cached files, which the kernel drops when memory is needed."""
    try:
        lines = (CGROUP / "memory.stat").read_text().splitlines()
        return used - next(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    except (OSError, StopIteration):
        return used
