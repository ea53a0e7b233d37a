"""``active.interval`` and ``active.min_gap`` in whole runs: which frames are bought, whatever the method."""

import json
from itertools import combinations

import pytest

from kecor.active.loop import run
from kecor.active.state import read_state
from kecor.datasets.kitti.dataset import KittiDataset
from tests.active.tiny import tiny_config, write_tiny_set

QUICK = {"epochs": 1, "batch_size": 4, "lr": 0.01}
STEP = 0.4
"""Seconds between the frames of a drive."""
METHODS = [
    {"type": "random"},
    {"type": "entropy"},
    {"type": "coreset"},
    {"type": "kecor", "kernel": {"steps": 5, "require_convergence": False}},
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_set(tmp_path_factory.mktemp("data") / "set", n_train=18, n_val=2)


@pytest.fixture
def drives(monkeypatch):
    """Two drives of nine frames in the split of 18."""
    monkeypatch.setattr(KittiDataset, "sequence", lambda self, frame_id: f"drive_{int(frame_id) // 9}")
    monkeypatch.setattr(KittiDataset, "timestamp", lambda self, frame_id: STEP * (int(frame_id) % 9))


def bought(data, folder, acquisition, said=None, resume=False, **active):
    active = {"initial": 3, "rounds": 2, "amount": 2.0, **active}
    config = tiny_config(data, schedule=QUICK, acquisition=acquisition, active=active)
    log = (lambda message: None) if said is None else said.append
    run(config, folder, progress=False, resume=resume, log=log)
    return json.loads((folder / "al_state.json").read_text())["frames"]


@pytest.mark.parametrize("acquisition", METHODS, ids=lambda section: section["type"])
def test_only_every_third_frame_is_bought_and_begun_with(data, tmp_path, one_thread, acquisition):
    rounds = bought(data, tmp_path, acquisition, interval=3)
    assert [len(ids) for ids in rounds] == [3, 2, 1]
    assert sorted(frame_id for ids in rounds for frame_id in ids) == [f"{i:06d}" for i in range(0, 18, 3)]


@pytest.mark.parametrize("acquisition", METHODS, ids=lambda section: section["type"])
def test_no_bought_frame_lies_close_to_a_labelled_one_of_its_drive(data, tmp_path, one_thread, drives, acquisition):
    first, *rounds = bought(data, tmp_path, acquisition, min_gap=1.1 * STEP, rounds=3)
    picked = [frame_id for ids in rounds for frame_id in ids]
    assert len(picked) >= 2
    for a, b in combinations([int(frame_id) for frame_id in first + picked], 2):
        initial = {f"{a:06d}", f"{b:06d}"} <= set(first)
        assert initial or a // 9 != b // 9 or abs(a - b) > 1


def test_where_too_few_candidates_are_labelled_any_labelled_frame_begins(data, tmp_path, one_thread):
    rounds = bought(data, tmp_path, {"type": "random"}, interval=9, initial=4, rounds=1)
    assert len(rounds[0]) == 4
    assert {frame_id for ids in rounds[1:] for frame_id in ids} == {"000000", "000009"} - set(rounds[0])


def test_a_gap_without_sequences_is_warned_of(data, tmp_path, one_thread):
    said = []
    bought(data, tmp_path, {"type": "random"}, said, min_gap=1.0, rounds=1)
    assert any("active.min_gap has no effect: kitti names no sequence" in line for line in said)


def test_a_run_begun_before_the_settings_existed_goes_on(data, tmp_path, one_thread):
    bought(data, tmp_path, {"type": "random"}, rounds=1)
    state = read_state(tmp_path)
    newer = ("active.interval", "active.min_gap", "active.first", "oracle.")
    state.settings = {key: value for key, value in state.settings.items() if not key.startswith(newer)}
    state.save(tmp_path)
    assert len(bought(data, tmp_path, {"type": "random"}, rounds=2, resume=True)) == 3
