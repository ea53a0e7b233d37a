"""A run that takes its round 0 over from another ends with the very bits of one that made it itself."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest
import torch

from kecor.active import round_0
from kecor.active.loop import run
from kecor.comparison.methods import shared_config
from kecor.engine.checkpoints import read_checkpoint
from kecor.errors import StateError
from tests.active.tiny import tiny_config, write_tiny_set

KECOR = {"type": "kecor", "kernel": {"steps": 5, "require_convergence": False}}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    data = write_tiny_set(tmp_path_factory.mktemp("data") / "set", n_train=12, n_val=3)
    schedule = {"epochs": 1, "batch_size": 4, "lr": 0.01}
    return tiny_config(data, schedule=schedule, active={"rounds": 1}, acquisition=KECOR)


@pytest.fixture(scope="module")
def shared(config, tmp_path_factory):
    """The folder of a run that made round 0 and bought nothing."""
    folder = tmp_path_factory.mktemp("shared") / "seed_1"
    make_run(shared_config(config), folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(config, tmp_path_factory):
    """The folder of the run that made everything itself."""
    folder = tmp_path_factory.mktemp("undisturbed")
    make_run(config, folder)
    return folder


def make_run(config, folder, **settings):
    return run(config, folder, progress=False, **{"log": lambda message: None, **settings})


def state_of(folder):
    return json.loads((folder / "al_state.json").read_text())


def assert_same_run(folder, other):
    """Selections, metrics, state and every round's weights are equal; only times may differ."""
    one, two = state_of(folder), state_of(other)
    assert [sorted(seconds) for seconds in one.pop("seconds")] == [sorted(seconds) for seconds in two.pop("seconds")]
    one, two = ({**state, "state_digest": None, "files": sorted(state["files"])} for state in (one, two))
    assert one == two  # checkpoints hold the seconds their training took: digests of files differ
    files = sorted(path.relative_to(other) for path in other.glob("round_*/*.json"))
    assert len(files) == 5
    for name in (*files, "config.yaml"):
        assert (folder / name).read_bytes() == (other / name).read_bytes()
    for name in ("initial.pth", "round_00/checkpoint.pth", "round_01/checkpoint.pth"):
        weights, wanted = (read_checkpoint(place / name)["state_dict"] for place in (folder, other))
        assert weights.keys() == wanted.keys()
        assert all(torch.equal(weights[key], wanted[key]) for key in wanted)


def test_a_run_that_takes_round_0_over_is_equal_to_one_that_makes_it(config, shared, undisturbed, tmp_path):
    said = []
    before = {path: path.read_bytes() for path in shared.rglob("*") if path.is_file()}
    rows = make_run(config, tmp_path / "taken", round_0=shared, log=said.append)
    assert_same_run(tmp_path / "taken", undisturbed)
    assert f"round 0: copied from {shared}" in said
    assert not any("round 0: training" in line or "round 0: evaluate done" in line for line in said)
    assert {path: path.read_bytes() for path in shared.rglob("*") if path.is_file()} == before
    for stage in ("train", "evaluate"):
        assert rows[0][f"seconds_{stage}"] == state_of(shared)["seconds"][0][stage]
    checkpoint = tmp_path / "taken" / "round_00" / "checkpoint.pth"
    assert checkpoint.samefile(shared / "round_00" / "checkpoint.pth")
    assert (tmp_path / "taken" / "round_00" / "train.log").is_file()
    assert (tmp_path / "taken" / "report.html").is_file()
    again = make_run(config, tmp_path / "taken", round_0=tmp_path / "nowhere", resume=True)
    assert [row["frames"] for row in again] == [4, 7]


def test_a_kill_between_the_files_and_the_state_costs_nothing(config, shared, tmp_path, monkeypatch):
    def killed(source, target):
        copy(source, target)
        raise KeyboardInterrupt

    copy, config = round_0._copy, replace(config, active=replace(config.active, rounds=0))
    with monkeypatch.context() as patch:
        patch.setattr(round_0, "_copy", killed)
        with pytest.raises(KeyboardInterrupt):
            make_run(config, tmp_path / "killed", round_0=shared)
    assert (state_of(tmp_path / "killed")["round"], state_of(tmp_path / "killed")["stage"]) == (0, "train")
    shutil.copytree(tmp_path / "killed", tmp_path / "alone")
    said = []
    make_run(config, tmp_path / "killed", round_0=shared, resume=True, log=said.append)
    assert not any("done in" in line for line in said)
    make_run(config, tmp_path / "alone", resume=True)
    for folder in (tmp_path / "killed", tmp_path / "alone"):
        assert state_of(folder)["stage"] == "done"
        for name in ("metrics.json", "checkpoint.pth"):
            assert (folder / "round_00" / name).read_bytes() == (shared / "round_00" / name).read_bytes()


def test_without_links_the_weights_are_copied(config, shared, tmp_path, monkeypatch):
    def no_links(source, target):
        raise OSError("not supported")

    monkeypatch.setattr(os, "link", no_links)
    nothing_to_buy = replace(config, active=replace(config.active, rounds=0))
    rows = make_run(nothing_to_buy, tmp_path, round_0=shared)
    assert len(rows) == 1
    assert state_of(tmp_path)["stage"] == "done"
    copied, original = (folder / "round_00" / "checkpoint.pth" for folder in (tmp_path, shared))
    assert not copied.samefile(original)
    assert copied.read_bytes() == original.read_bytes()


def change_state(folder, **values):
    path = folder / "al_state.json"
    entries = {key: value for key, value in json.loads(path.read_text()).items() if key != "state_digest"}
    path.write_text(json.dumps({**entries, **values}))


@pytest.mark.parametrize("fault", ["schedule", "seed", "unfinished", "boxes", "weights", "checkpoint", "nothing"])
def test_another_round_0_is_refused_and_the_reason_told(config, shared, tmp_path, fault):
    source = tmp_path / "source"
    shutil.copytree(shared, source)
    if fault == "schedule":
        config, wanted = replace(config, schedule=replace(config.schedule, epochs=9)), "schedule.epochs: was 1, is 9"
    elif fault == "seed":
        config, wanted = replace(config, seed=5), "seed: was 1, is 5"
    elif fault == "unfinished":
        change_state(source, seconds=[{"train": 1.0}], stage="evaluate")
        wanted = "has not evaluated its round 0 yet; finish it"
    elif fault == "boxes":
        change_state(source, boxes=[1])
        wanted = "other frames or labels"
    elif fault == "weights":
        shutil.copy(source / "round_00" / "checkpoint.pth", source / "initial.pth")
        wanted = f"{source / 'initial.pth'}: these weights differ from"
    elif fault == "checkpoint":
        (source / "round_00" / "checkpoint.pth").unlink()
        wanted = f"{source / 'round_00' / 'checkpoint.pth'} is missing"
    else:
        source, wanted = tmp_path / "nowhere", "nowhere"
    with pytest.raises(StateError) as caught:
        make_run(config, tmp_path / "work", round_0=source)
    assert wanted in str(caught.value)
    assert state_of(tmp_path / "work")["stage"] == "train"
