"""A campaign: half of the cases change configs, half mutate files of each reader in turn."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from kecor.tables import format_table
from tests.fuzz import configs
from tests.fuzz.cases import FAILED, REFUSED, SUCCESS, Outcome, outcome_of
from tests.fuzz.readers import READERS, mutate_and_read

HEADERS = ["read", "cases", SUCCESS, REFUSED, "failures"]


@dataclass
class Tally:
    """Counts by reader, and what was done in each failure."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def add(self, name: str, done: str, outcome: Outcome) -> None:
        self.counts.setdefault(name, Counter())[outcome.kind] += 1
        if outcome.kind == FAILED:
            self.failures.append(f"{name}: {done}\n{outcome.text}")

    def table(self) -> str:
        rows = [[name, c.total(), c[SUCCESS], c[REFUSED], c[FAILED]] for name, c in self.counts.items()]
        total = [sum(column) for column in zip(*(row[1:] for row in rows))]
        lines = [format_table(HEADERS, [*rows, ["all", *total]])]
        return "\n".join(lines + [f"not read, as its sample is absent: {name}" for name in self.absent])


def run(cases: int, seed: int, folder: Path) -> Tally:
    """Run so many cases, a function of ``seed``; ``folder`` holds their files."""
    rng = np.random.default_rng(seed)
    tally = Tally()
    _fuzz_configs(cases // 2, rng, folder, tally)
    _fuzz_readers(cases - cases // 2, rng, folder, tally)
    return tally


def _fuzz_configs(cases: int, rng: np.random.Generator, folder: Path, tally: Tally) -> None:
    shipped = configs.shipped()
    for name, key, value in itertools.islice(configs.cases(shipped, rng), cases):
        values = configs.changed(shipped[name], key, value)
        outcome = outcome_of(lambda values=values: configs.load_and_build(values, folder / "config.yaml"))
        room = name.split("/")[0]
        tally.add(f"configs: {room}", f"{name}: {'.'.join(map(str, key))} = {value!r:.80}", outcome)


def _fuzz_readers(cases: int, rng: np.random.Generator, folder: Path, tally: Tally) -> None:
    places: dict[str, Path] = {}
    for number, (name, reader) in enumerate(READERS.items()):
        place = folder / f"set_{number:02d}" / "files"
        place.mkdir(parents=True)
        try:
            reader.make(place)
        except pytest.skip.Exception:
            tally.absent.append(name)
            continue
        reader.read(place)  # sound files are read
        places[name] = place
    for name, place in itertools.islice(itertools.cycle(places.items()), cases):
        tally.add(name, *mutate_and_read(READERS[name], place, rng))
