from __future__ import annotations

import math

import pytest

from kecor import memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8 GB free, and a folder for what limits its container."""
    (tmp_path / "meminfo").write_text("MemTotal:  16000000 kB\nMemFree: 1 kB\nMemAvailable:    8000000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return tmp_path


def limit(folder, most, used, stat=None):
    (folder / "memory.max").write_text(f"{most}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    if stat is not None:
        (folder / "memory.stat").write_text(stat)


def test_without_a_container_it_is_what_the_machine_has_free(machine):
    assert memory.available_memory() == 8e6 * 1024
    limit(machine, "max", 5)
    assert memory.available_memory() == 8e6 * 1024


def test_a_container_leaves_what_its_limit_leaves_and_gives_up_cached_files(machine):
    limit(machine, 1000, 600)
    assert memory.available_memory() == 400
    limit(machine, 1000, 600, "anon 300\ninactive_file 250\nactive_file 50\n")
    assert memory.available_memory() == 650


def test_elsewhere_nothing_is_known(machine):
    (machine / "meminfo").unlink()
    assert memory.available_memory() == math.inf
