"""Every damage to a run's folder or its data is repaired, or refused in one line that says what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kecor.active import stages
from kecor.active.loop import run
from kecor.errors import KecorError
from tests.active.tiny import tiny_config, write_tiny_set

QUICK = {"epochs": 1, "batch_size": 4, "lr": 0.01}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_set(tmp_path_factory.mktemp("data") / "set", n_train=10, n_val=2)


def config_of(root, rounds=1):
    return tiny_config(root, schedule=QUICK, active={"rounds": rounds})


def make_run(config, folder, **settings):
    return run(config, folder, progress=False, log=lambda message: None, **settings)


@pytest.fixture(scope="module")
def stopped(data, tmp_path_factory):
    """A run stopped in round 1 before its evaluation, and what it ends with undisturbed."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("stopped") / "run"

    def stop_in_round_1(al):
        if al.state.round == 1:
            raise KeyboardInterrupt
        return stages._evaluate(al)

    patch.setitem(stages.STAGE_FUNCTIONS, "evaluate", stop_in_round_1)
    with pytest.raises(KeyboardInterrupt):
        make_run(config_of(data), folder)
    patch.undo()
    whole = tmp_path_factory.mktemp("whole") / "run"
    make_run(config_of(data), whole)
    return folder, results(whole)


def results(folder: Path) -> dict[str, str]:
    names = ("round_00/metrics.json", "round_00/selection.json", "round_01/metrics.json")
    return {name: (folder / name).read_text() for name in names}


def flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>404</body></html>")


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [flip, cut, empty, web_page, folder_instead, Path.unlink]
FILES = [
    "al_state.json",
    "initial.pth",
    "round_00/checkpoint.pth",
    "round_00/metrics.json",
    "round_00/selection.json",
    "round_01/checkpoint.pth",
    "config.yaml",
    "round_00/pool/unlabelled/det_scores.npy",
    "round_00/pool/unlabelled/ids.npy",
    "round_00/pool/unlabelled/features.json",
]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_repaired_or_named_in_one_line(data, stopped, tmp_path, name, damage: Callable):
    folder = tmp_path / "run"
    shutil.copytree(stopped[0], folder)
    damage(folder / name)
    fault = None
    try:
        make_run(config_of(data), folder, resume=True)
    except KecorError as error:
        fault = str(error)
    if fault is None:
        assert results(folder) == stopped[1]
    else:
        assert "\n" not in fault
        assert Path(name).name in fault
        assert any(word in fault for word in ("restore", "copy", "new run", "--resume"))


@pytest.mark.usefixtures("one_thread")
def test_labels_that_changed_after_they_were_bought_are_named(data, stopped, tmp_path):
    root, folder = tmp_path / "set", tmp_path / "run"
    shutil.copytree(data, root)
    shutil.copytree(stopped[0], folder)
    bought = json.loads((folder / "al_state.json").read_text())["frames"]
    label = root / "training" / "label_2" / f"{bought[1][0]}.txt"
    label.write_text(label.read_text().replace("Car", "Pedestrian"))
    with pytest.raises(KecorError, match=rf"labels of frames bought for round 1 \(such as {bought[1][0]}\)"):
        make_run(config_of(root), folder, resume=True)


@pytest.mark.usefixtures("one_thread")
def test_rounds_can_be_added_to_a_finished_run(data, tmp_path):
    make_run(config_of(data, rounds=1), tmp_path / "grown")
    make_run(config_of(data, rounds=2), tmp_path / "grown", resume=True)
    make_run(config_of(data, rounds=2), tmp_path / "whole")
    frames = [json.loads((tmp_path / name / "al_state.json").read_text())["frames"] for name in ("grown", "whole")]
    assert frames[0] == frames[1]
    assert len(frames[0]) == 3
    with pytest.raises(KecorError, match=r"active\.rounds: was 2, is 1"):
        make_run(config_of(data, rounds=1), tmp_path / "grown", resume=True)
