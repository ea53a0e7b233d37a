"""Pipes, devices, links to themselves and files larger than memory in place of those that each reader reads."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from tests.fuzz.cases import FAILED, outcome_of
from tests.fuzz.readers import READERS

SPARE = 3 << 30
"""Bytes a reader may take: no sound file of the tests needs more, and every file below promises more."""
SECONDS = 5.0


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)  # opening it would wait for a writer


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")  # never ends


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def larger_than_memory(path: Path) -> None:
    os.truncate(path, path.stat().st_size + (64 << 30))  # no block of it is on the disk


@pytest.fixture
def little_memory():
    """Memory that ends soon: reading a whole file of these is a MemoryError, not the end of the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def folder(tmp_path, request):
    place = tmp_path / "files"
    place.mkdir()
    READERS[request.param].make(place)
    READERS[request.param].read(place)  # sound files are read
    return request.param, place


def victims(folder: Path) -> list[Path]:
    """One file of each kind of folder and name: texts and tables each, one frame of many."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            by_name = path.suffix in (".txt", ".csv", ".yaml") or not any(
                character.isdigit() for character in path.stem
            )
            found[path.suffix, path.name if by_name else ""] = path
    return list(found.values())


@pytest.mark.parametrize("folder", [name for name in READERS if name != "waymo record"], indirect=True)
def test_special_files_are_refused_in_time(folder, little_memory):
    name, place = folder
    for victim in victims(place):
        sound = victim.read_bytes()
        for change in (pipe, device, link_to_itself, larger_than_memory):
            change(victim)
            outcome = outcome_of(lambda: READERS[name].read(place), SECONDS)
            victim.unlink()
            victim.write_bytes(sound)
            assert outcome.kind != FAILED, f"{change.__name__} {victim.relative_to(place)}: {outcome.text}"
