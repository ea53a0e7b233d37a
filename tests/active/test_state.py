import dataclasses
import errno
import json
from pathlib import Path

import pytest

from kecor.active import state as state_module
from kecor.active.preflight import check_files, has_run
from kecor.active.state import State, digest_of_splits, load_state
from kecor.config.differences import settings_of
from kecor.errors import StateError
from tests.active.tiny import tiny_config

SPLITS = digest_of_splits(["a", "b"], ["c"])


@pytest.fixture
def config():
    return tiny_config(Path("somewhere"))


@pytest.fixture
def state(config):
    return State(settings_of(config), SPLITS, 1, "entropy", [["a"]], [3])


def reloaded(folder, config, splits=SPLITS):
    return load_state(folder, settings_of(config), splits)


def changed(config, section, **values):
    return dataclasses.replace(config, **{section: dataclasses.replace(getattr(config, section), **values)})


def test_what_is_saved_is_loaded(tmp_path, config, state):
    state.save(tmp_path)
    assert reloaded(tmp_path, config) == state
    state.finish("train", "evaluate", 1.23456)
    state.save(tmp_path)
    assert reloaded(tmp_path, config) == state
    assert state.seconds == [{"train": 1.235}]
    assert json.loads((tmp_path / "al_state.json.bak").read_text())["stage"] == "train"


def test_label_ends_a_round(tmp_path, config, state):
    state.frames.append(["b"])
    state.boxes.append(1)
    state.finish("label", "train", 0.5)
    state.save(tmp_path)
    assert (state.round, state.stage, state.seconds) == (1, "train", [{"label": 0.5}, {}])
    assert reloaded(tmp_path, config) == state


def test_a_run_with_flat_kernel_settings_resumes(tmp_path, config):
    kernel = {"type": "ntk", "arrangement": "per_roi", "normalise": True, "steps": 200}
    config = dataclasses.replace(config, acquisition={"type": "kecor", "sigma": 0.1, "kernel": kernel})
    flat = {key: value for key, value in settings_of(config).items() if not key.startswith("acquisition.kernel.")}
    flat |= {"acquisition.kernel": "ntk", "acquisition.arrangement": "per_roi"}
    flat |= {"acquisition.normalise": True, "acquisition.steps": 200}
    State(flat, SPLITS, 1, "kecor", [["a"]], [3]).save(tmp_path)
    assert reloaded(tmp_path, config).settings == settings_of(config)
    kernel["steps"] = 100
    with pytest.raises(StateError, match=r"acquisition\.kernel\.steps: was 200, is 100"):
        reloaded(tmp_path, config)


def test_a_changed_config_is_told_key_by_key(tmp_path, config, state):
    state.save(tmp_path)
    other = changed(changed(config, "schedule", lr=0.5), "active", rounds=1)
    other = dataclasses.replace(other, acquisition={"type": "random"})
    with pytest.raises(StateError) as caught:
        reloaded(tmp_path, other)
    for part in ("schedule.lr: was 0.01, is 0.5", "active.rounds: was 2, is 1", "acquisition.type: was 'entropy', is "):
        assert part in str(caught.value)
    assert "schedule.epochs" not in str(caught.value)


def test_a_key_of_active_that_is_newer_than_the_run_counts_with_its_default(tmp_path, config, state):
    del state.settings["active.dropout_rate"]
    state.save(tmp_path)
    assert reloaded(tmp_path, config) == state
    with pytest.raises(StateError, match=r"active\.dropout_rate: was 0\.1, is 0\.4"):
        reloaded(tmp_path, changed(config, "active", dropout_rate=0.4))


def test_where_the_data_lie_and_how_many_workers_read_them_may_change(tmp_path, config, state):
    state.save(tmp_path)
    assert reloaded(tmp_path, changed(config, "data", root="elsewhere", workers=4)) == state


def test_other_split_lists_are_an_error(tmp_path, config, state):
    state.save(tmp_path)
    with pytest.raises(StateError, match="train_split"):
        reloaded(tmp_path, config, digest_of_splits(["a"], ["b", "c"]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"stage": "evaluate"', '"stage": "coffee"'),
        lambda text: text.replace('"round": 0', '"round": 3'),
        lambda text: text.replace('"boxes"', '"box"'),
        lambda text: text.replace('"schedule.epochs": 3', '"schedule.epochs": 4'),
    ],
)
def test_a_damaged_state_says_what_to_do_and_the_backup_mends_it(tmp_path, config, state, damage):
    path = tmp_path / "al_state.json"
    state.save(tmp_path)
    state.finish("train", "evaluate", 1.0)
    state.save(tmp_path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(StateError, match=r"al_state.json: the state is damaged .* copy al_state.json.bak"):
        reloaded(tmp_path, config)
    (tmp_path / "al_state.json.bak").replace(path)
    assert reloaded(tmp_path, config).stage == "train"
    path.write_text("")
    with pytest.raises(StateError, match=r"is damaged .* another --work-dir"):
        reloaded(tmp_path, config)


def test_a_state_of_another_version_is_refused(tmp_path, config, state):
    state.save(tmp_path)
    path = tmp_path / "al_state.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 7'))
    with pytest.raises(StateError, match="version is 7"):
        reloaded(tmp_path, config)


def test_a_full_disk_leaves_the_state_as_it_was(tmp_path, config, state, monkeypatch):
    state.save(tmp_path)

    def full(path, value):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state_module, "write_json", full)
    state.finish("train", "evaluate", 1.0)
    with pytest.raises(OSError, match="No space"):
        state.save(tmp_path)
    assert reloaded(tmp_path, config).stage == "train"


def test_a_run_is_begun_or_gone_on_with_only_where_that_was_meant(tmp_path, state):
    assert not has_run(tmp_path, resume=True)
    state.save(tmp_path)
    assert has_run(tmp_path, resume=True)
    with pytest.raises(StateError, match=r"--resume.*--work-dir"):
        has_run(tmp_path, resume=False)
    (tmp_path / "round_00").mkdir()
    (tmp_path / "al_state.json").unlink()
    with pytest.raises(StateError, match="round_00 exists; restore it"):
        has_run(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("start", "number", "stage", "file"),
    [
        ("cold", 0, "train", "initial.pth"),
        ("cold", 1, "train", "initial.pth"),
        ("cold", 1, "train", "round_00/metrics.json"),
        ("warm", 1, "train", "round_00/checkpoint.pth"),
        ("cold", 1, "evaluate", "round_01/checkpoint.pth"),
        ("cold", 1, "pool", "round_01/metrics.json"),
        ("cold", 1, "label", "round_01/selection.json"),
        ("warm", 1, "label", "round_01/checkpoint.pth"),
        ("cold", 1, "done", "round_01/metrics.json"),
    ],
)
def test_a_missing_file_of_a_finished_stage_is_named(tmp_path, config, state, start, number, stage, file):
    config = changed(config, "active", start=start)
    evaluated = {"train": 1.0, "evaluate": 1.0}
    seconds = [evaluated, evaluated if stage not in ("train", "evaluate") else {}][: number + 1]
    if stage == "label":
        seconds[1] = {**evaluated, "select": 1.0}
    state = dataclasses.replace(state, round=number, stage=stage, seconds=seconds if number else [{}])
    names = ("checkpoint.pth", "metrics.json", "selection.json")
    for path in [tmp_path / "initial.pth", *(tmp_path / f"round_0{k}" / name for k in (0, 1) for name in names)]:
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    check_files(state, config, tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(StateError, match=f"{file} is missing"):
        check_files(state, config, tmp_path)
