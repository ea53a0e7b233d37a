"""Killed with SIGKILL after each file that it writes for or from annotators, a run ends like an undisturbed one."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch

from kecor.files import file_digest
from tests.active.annotators.people import Annotator, go, run_config, state_of, write_sweeps

WATCHED = ("to_label", "handed_out.json", "labels", "delivered.json", "annotators.json", "selection.json")
"""Parts of the paths after whose writing the run is killed."""


def child(root: Path, work: Path, kill_after: int | None) -> None:
    """One start of the run; it kills itself after that many of the watched files, or the states after them."""
    torch.set_num_threads(1)
    replace, written = Path.replace, []

    def counted(self, target):
        done = replace(self, target)
        parts = Path(target).relative_to(work).parts
        if set(parts) & set(WATCHED) or (parts[0] == "al_state.json" and written):
            written.append(target)
            if len(written) == kill_after:
                os.kill(os.getpid(), signal.SIGKILL)
        return done

    Path.replace = counted
    go(run_config(root, "labelcloud"), work)


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.active.annotators.preloaded"])
    return context


def start(processes, root, work, kill_after=None) -> int:
    process = processes.Process(target=child, args=(root, work, kill_after))
    process.start()
    process.join(120)
    return process.exitcode


def play(root, truth, work, advance):
    """Start the run, label the first frames, go on, label the picks, go on; ``advance`` makes one start."""
    people = Annotator(truth)
    for name in ("initial", "round_00"):
        advance(work)
        assert state_of(work)["stage"] == "waiting"
        export = work / name / "to_label"
        people.label(export, "labelcloud", (export / "ids.txt").read_text().split(), export)
    advance(work)
    assert state_of(work)["stage"] == "done"


def results_of(work):
    state = state_of(work)
    names = ("selection.json", "metrics.json", "annotators.json", "handed_out.json")
    texts = {str(p.relative_to(work)): json.loads(p.read_text()) for name in names for p in work.glob(f"*/{name}")}
    labels = {str(p.relative_to(work)): p.read_text() for p in (work / "labels").rglob("*.txt")}
    clouds = {str(p.relative_to(work)): file_digest(p) for p in work.glob("*/to_label/**/*") if p.is_file()}
    return texts, labels, clouds, [state[key] for key in ("frames", "boxes", "label_digests", "round", "stage")]


def test_a_run_killed_after_every_file_ends_like_an_undisturbed_one(processes, tmp_path):
    root, kills = tmp_path / "sweeps", []
    truth = write_sweeps(root)

    def undisturbed(work):
        assert start(processes, root, work) == 0

    def killed(work):
        count = 0
        while (code := start(processes, root, work, count + 1)) != 0:
            assert code == -signal.SIGKILL
            count += 1
        kills.append(count)

    play(root, truth, tmp_path / "undisturbed", undisturbed)
    play(root, truth, tmp_path / "killed", killed)
    assert min(kills) >= 2
    assert len(results_of(tmp_path / "killed")[0]) == 7
    assert results_of(tmp_path / "killed") == results_of(tmp_path / "undisturbed")
