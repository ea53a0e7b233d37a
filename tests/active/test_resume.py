"""Killed with SIGKILL at every stage and resumed, a run ends with the very bits of an undisturbed one.

The runs are processes of a fork server: they start in no time, and their threads are those of a fresh process.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from kecor.engine.checkpoints import read_checkpoint
from tests.active.tiny import tiny_config, write_tiny_set

READS = [("evaluate", 2), ("pool", 5), ("label", 2), ("train", 2)]
"""Stage of round 0 (``train``: of round 1) and how many frames it may read before it is killed.

``label`` reads labels of selected frames alone, all other stages read point clouds too.
"""
LINES = ["round 1: evaluate done", "round 1: kecor selected", "round 1: label done"]
"""Between what these lines tell of and its note in the state."""


def child(data: Path, folder: Path, kill_read: tuple[str, int] | None, kill_line: str | None) -> None:
    """One start of the run; it kills itself at a read or at a line of its log, when told to."""
    from kecor.active.loop import run
    from kecor.datasets.kitti.dataset import KittiDataset
    from kecor.frame_sets import store as feature_store

    torch.set_num_threads(1)
    feature_store.CHUNK = 3
    read, read_labels, seen = KittiDataset.read, KittiDataset.read_labels, []

    def count(frame_id):
        state = folder / "al_state.json"
        if kill_read and state.exists() and json.loads(state.read_text())["stage"] == kill_read[0]:
            seen.append(frame_id)
            if len(seen) > kill_read[1]:
                os.kill(os.getpid(), signal.SIGKILL)

    def counted(self, frame_id, labels=True):
        count(frame_id)
        return read(self, frame_id, labels)

    def counted_labels(self, frame_id):
        selection = folder / "round_00" / "selection.json"
        if kill_read == READS[2] and selection.exists() and frame_id in json.loads(selection.read_text())["ids"]:
            count(frame_id)
        return read_labels(self, frame_id)

    def log(line):
        if kill_line and line.startswith(kill_line):
            os.kill(os.getpid(), signal.SIGKILL)

    KittiDataset.read, KittiDataset.read_labels = counted, counted_labels
    acquisition = {"type": "kecor", "kernel": {"steps": 20, "require_convergence": False}}
    config = tiny_config(data, acquisition=acquisition, schedule={"epochs": 4})
    run(config, folder, resume=True, progress=False, log=log)


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.active.test_resume", "kecor.active"])
    return context


def start(processes, *arguments):
    process = processes.Process(target=child, args=arguments)
    process.start()
    return process


def run_to_the_end(processes, data, folder):
    process = start(processes, data, folder, None, None)
    process.join(120)
    assert process.exitcode == 0


def run_and_be_killed(processes, data, folder, kill_read=None, kill_line=None):
    process = start(processes, data, folder, kill_read, kill_line)
    process.join(120)
    assert process.exitcode == -signal.SIGKILL, (kill_read, kill_line)


def kill_when_there_is(processes, data, folder, path):
    process = start(processes, data, folder, None, None)
    while not path.exists():
        assert process.is_alive()
        time.sleep(0.001)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def results_of(folder):
    """Selections, metrics and labelled frames as they stand on disk, and every round's weights."""
    files = sorted([*folder.glob("round_*/selection.json"), *folder.glob("round_*/metrics.json")])
    texts = {str(path.relative_to(folder)): path.read_text() for path in files}
    state = json.loads((folder / "al_state.json").read_text())
    weights = [read_checkpoint(path)["state_dict"] for path in sorted(folder.glob("round_*/checkpoint.pth"))]
    return texts, (state["frames"], state["boxes"], state["round"], state["stage"]), weights


def test_a_run_killed_at_every_stage_ends_like_an_undisturbed_one(processes, tmp_path):
    data = write_tiny_set(tmp_path / "data", n_train=10, n_val=3)
    run_to_the_end(processes, data, tmp_path / "undisturbed")
    folder = tmp_path / "killed"
    kill_when_there_is(processes, data, folder, folder / "round_00" / "epoch_2.pth")
    assert not (folder / "round_00" / "checkpoint.pth").exists()
    for moment in READS:
        run_and_be_killed(processes, data, folder, kill_read=moment)
        state = json.loads((folder / "al_state.json").read_text())
        assert (state["stage"], state["round"]) == (moment[0], int(moment[0] == "train"))
        if moment[0] == "pool":
            assert len(list((folder / "round_00" / "pool").glob("unlabelled/chunk_*.npz"))) == 1
    for line in LINES:
        run_and_be_killed(processes, data, folder, kill_line=line)
    run_to_the_end(processes, data, folder)
    texts, state, weights = results_of(tmp_path / "undisturbed")
    texts_killed, state_killed, weights_killed = results_of(folder)
    assert state == state_killed
    assert state[2:] == (2, "done")
    assert len(texts) == 5
    assert texts == texts_killed
    for before, after in zip(weights, weights_killed, strict=True):
        assert all(torch.equal(before[name], after[name]) for name in before)
