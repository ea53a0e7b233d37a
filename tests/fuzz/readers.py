"""The readers of the package, each with sound files that are mutated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.fuzz import data_sets, files, labels
from tests.fuzz.cases import Outcome, outcome_of
from tests.fuzz.values import MUTATIONS


@dataclass(frozen=True)
class Reader:
    """``make`` writes sound files into a folder, ``read`` reads all of it."""

    make: Callable[[Path], object]
    read: Callable[[Path], object]


READERS = {
    name: Reader(make, read)
    for room in (data_sets, files, labels)
    for name, (make, read) in room.READERS.items()
}  # fmt: skip


def mutate_and_read(reader: Reader, folder: Path, rng: np.random.Generator) -> tuple[str, Outcome]:
    """Mutate one file of ``folder``, read the folder, and restore the file; says what was done."""
    victims = sorted(path for path in folder.rglob("*") if path.is_file())
    victim = victims[rng.integers(len(victims))]
    sound = victim.read_bytes()
    mutation = MUTATIONS[rng.integers(len(MUTATIONS))]
    victim.write_bytes(mutation(sound, rng))
    outcome = outcome_of(lambda: reader.read(folder))
    victim.write_bytes(sound)
    return f"{mutation.__name__} {victim.relative_to(folder)}", outcome
