"""A run of two processes: one selection, one state, every frame's features computed once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kecor.frame_sets.store import RECORD
from tests.active.tiny import tiny_config, write_config, write_tiny_set

ROOT = Path(__file__).parents[2]


def start(config: Path, folder: Path) -> list[subprocess.Popen]:
    """Two ranks, started as torchrun starts them, so that each can be killed."""
    command = [sys.executable, str(ROOT / "tools" / "train_al.py"), str(config), "--work-dir", str(folder), "--resume"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    return [
        subprocess.Popen(
            [*command, "--launcher", "pytorch", "--device", "cpu"],
            env={**os.environ, **meeting, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in "01"
    ]


def finish(ranks: list[subprocess.Popen]) -> str:
    outs = [rank.communicate(timeout=200)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], "\n".join(outs)
    return "".join(outs)


@pytest.mark.slow
def test_two_processes_make_one_run_and_resume_it(tmp_path):
    data = write_tiny_set(tmp_path / "data", n_train=10, n_val=3)
    acquisition = {"type": "kecor", "kernel": {"steps": 20, "require_convergence": False}}
    config = write_config(tmp_path / "tiny.yaml", tiny_config(data, acquisition=acquisition))
    out = finish(start(config, tmp_path / "undisturbed"))
    assert out.count("round 0: kecor selected 3 of 6 frames") == 1
    killed = start(config, tmp_path / "killed")
    while not (tmp_path / "killed" / "round_00" / "pool" / RECORD).exists():
        assert all(rank.poll() is None for rank in killed)
        time.sleep(0.01)
    for rank in killed:
        rank.kill()
        rank.communicate()
    finish(start(config, tmp_path / "killed"))
    states = [json.loads((tmp_path / name / "al_state.json").read_text()) for name in ("undisturbed", "killed")]
    assert [len(ids) for ids in states[0]["frames"]] == [4, 3, 3]
    assert states[0]["frames"] == states[1]["frames"]
    for number in range(3):
        metrics = [tmp_path / name / f"round_0{number}" / "metrics.json" for name in ("undisturbed", "killed")]
        assert metrics[0].read_text() == metrics[1].read_text()
