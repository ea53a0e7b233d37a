from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kecor.engine.checkpoints import read_checkpoint, write_checkpoint
from kecor.engine.resume import PROCESSES, check_same_run, run_facts
from kecor.engine.train import train
from kecor.errors import CheckpointError, StateError
from tests.engine.fakes import FakeDetector, make_samples, read_frame, same_weights, schedule, weights
from tests.engine.killed import training

ROOT = Path(__file__).parents[2]


class Stop(Exception):
    """Stands for a kill within one process."""


def stop_after(reads: int):
    """A reader that gives up after some frames."""
    left = [reads]

    def read(frame_id: str):
        left[0] -= 1
        if left[0] < 0:
            raise Stop
        return read_frame(frame_id)

    return read


def interrupted(folder, reads: int, plan) -> None:
    samples = make_samples(4)
    samples.read = stop_after(reads)  # every epoch reads every frame anew
    with pytest.raises(Stop):
        train(FakeDetector(), samples, plan, folder, device="cpu", seed=1, progress=False)


def finished(folder, plan) -> dict[str, torch.Tensor]:
    detector = FakeDetector()
    train(detector, make_samples(4), plan, folder, device="cpu", seed=1, progress=False)
    return weights(detector)


@pytest.mark.parametrize("changes", [{}, {"amp": "bf16"}, {"iterations": 9}])
def test_going_on_after_a_stop_anywhere_ends_in_the_same_bits(tmp_path, changes):
    plan = schedule(epochs=3, **changes)
    undisturbed = finished(tmp_path / "whole", plan)
    for reads in range(12):
        folder = tmp_path / str(reads)
        interrupted(folder, reads, plan)
        assert same_weights(finished(folder, plan), undisturbed), f"stopped after {reads} frames"
        assert not list(folder.glob("epoch_*"))


def test_losses_and_seconds_cover_the_whole_training(tmp_path):
    whole = train(FakeDetector(), make_samples(4), schedule(), tmp_path / "a", device="cpu", seed=1, progress=False)
    interrupted(tmp_path / "b", 9, schedule())
    resumed = train(FakeDetector(), make_samples(4), schedule(), tmp_path / "b", device="cpu", seed=1, progress=False)
    assert resumed.losses == whole.losses
    assert len(resumed.losses) == 4


def test_the_last_two_epochs_are_kept(tmp_path):
    interrupted(tmp_path, 15, schedule(epochs=5))
    assert sorted(path.name for path in tmp_path.glob("*.pth")) == ["epoch_2.pth", "epoch_3.pth"]
    assert read_checkpoint(tmp_path / "epoch_3.pth")["meta"]["epoch"] == 3


def test_a_damaged_epoch_falls_back_to_the_one_before(tmp_path):
    plan = schedule(epochs=5)
    undisturbed = finished(tmp_path / "whole", plan)
    interrupted(tmp_path / "a", 15, plan)
    newest = tmp_path / "a" / "epoch_3.pth"
    newest.write_bytes(newest.read_bytes()[:1000])
    with pytest.warns(UserWarning, match=r"epoch_3\.pth.*going back to the epoch before"):
        assert same_weights(finished(tmp_path / "a", plan), undisturbed)


def test_all_epochs_damaged_starts_over(tmp_path):
    plan = schedule(epochs=5)
    interrupted(tmp_path / "a", 15, plan)
    for path in (tmp_path / "a").glob("*.pth"):
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="going back"):
        assert same_weights(finished(tmp_path / "a", plan), finished(tmp_path / "whole", plan))


def test_another_training_is_not_gone_on_with(tmp_path):
    interrupted(tmp_path, 9, schedule())
    with pytest.raises(StateError, match="another schedule"):
        finished(tmp_path, schedule(lr=0.5))


@pytest.fixture(scope="module")
def second(tmp_path_factory) -> dict[str, torch.Tensor]:
    """What an undisturbed training of a tiny SECOND ends in."""
    return training("second", tmp_path_factory.mktemp("whole"))


def kill(name: str, folder: Path, moment: str, count: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, "-m", "tests.engine.killed", name, str(folder), moment, str(count)]
    assert subprocess.run(command, cwd=ROOT, env=environment).returncode == -signal.SIGKILL


def test_kill_9_while_reading_and_while_writing(tmp_path):
    undisturbed = training("fake", tmp_path / "whole")
    folder = tmp_path / "killed"
    kill("fake", folder, "read", 10)
    assert [path.name for path in folder.glob("*.pth")] == ["epoch_1.pth"]
    kill("fake", folder, "write", 2)
    assert sorted(path.name for path in folder.glob("epoch_*.pth")) == ["epoch_1.pth", "epoch_2.pth"]
    assert (folder / ".epoch_3.pth.tmp").is_file()
    assert same_weights(training("fake", folder), undisturbed)
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.pth", "tensorboard", "train.log"]


@pytest.mark.parametrize("reads", [4, 8, 14])
def test_a_real_detector_goes_on_in_the_same_bits(tmp_path, second, reads):
    with pytest.raises(Stop):
        training("second", tmp_path, stop_after(reads))
    assert same_weights(training("second", tmp_path), second)


@pytest.mark.slow
def test_kill_9_with_a_real_detector(tmp_path, second):
    kill("second", tmp_path / "killed", "read", 11)
    assert (tmp_path / "killed" / "epoch_2.pth").is_file()
    assert same_weights(training("second", tmp_path / "killed"), second)


def test_a_training_does_not_go_on_with_another_number_of_processes(tmp_path, monkeypatch):
    """A batch is one process's: with another number of them the result would be another."""
    plan = schedule(epochs=5)
    interrupted(tmp_path, 15, plan)
    monkeypatch.setattr("kecor.engine.resume.launch.world_size", lambda: 2)
    facts = run_facts(make_samples(4).ids, plan, 1)
    monkeypatch.undo()
    stored = read_checkpoint(tmp_path / "epoch_3.pth")["meta"]
    with pytest.raises(StateError, match=r"another number of processes \(there 1, now 2\)"):
        check_same_run(stored, facts, tmp_path / "epoch_3.pth")
    check_same_run({key: value for key, value in stored.items() if key != PROCESSES}, facts, tmp_path)  # an older one


def test_an_epoch_of_another_detector_is_refused(tmp_path):
    """Its weights fit and its frames are the same: only what it was trained for differs."""
    plan = schedule(epochs=5)
    interrupted(tmp_path, 15, plan)
    path = tmp_path / "epoch_3.pth"
    state = read_checkpoint(path)
    state["meta"]["purpose"] = {"classes": ["Car", "Van"]}
    write_checkpoint(state, path)
    detector = FakeDetector()
    detector.purpose = {"classes": ["Van", "Car"]}
    before = weights(detector)
    with pytest.raises(CheckpointError, match=r"epoch_3\.pth: .*\['Car', 'Van'\].*\['Van', 'Car'\]"):
        train(detector, make_samples(4), plan, tmp_path, device="cpu", seed=1, progress=False)
    assert same_weights(weights(detector), before)


def test_an_epoch_says_what_it_was_trained_for(tmp_path):
    samples = make_samples(4)
    samples.read = stop_after(15)
    detector = FakeDetector()
    detector.purpose = {"classes": ["Car"]}
    with pytest.raises(Stop):
        train(detector, samples, schedule(epochs=5), tmp_path, device="cpu", seed=1, progress=False)
    assert read_checkpoint(tmp_path / "epoch_3.pth")["meta"]["purpose"] == {"classes": ["Car"]}
