"""Damages to one file of a run's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

READ = (".json", ".pth", ".npy", ".npz", ".yaml")
"""Endings of the files that a resumed run reads; logs, pictures and tables are written only."""


def targets(folder: Path) -> list[str]:
    """The files of a run that may be damaged, sorted; empty ones cannot be."""
    files = (path for path in folder.rglob("*") if path.suffix in READ and path.is_file() and path.stat().st_size)
    return sorted(str(path.relative_to(folder)) for path in files)


def _cut(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(len(content))])


def _flip(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= int(rng.integers(1, 256))
    path.write_bytes(bytes(content))


def _delete(path: Path, rng: np.random.Generator) -> None:
    path.unlink()


DAMAGES: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "file cut short": _cut,
    "byte changed": _flip,
    "file deleted": _delete,
}
