"""Whole runs on a tiny data set: what is picked, what is paid, what is read, and what is left when things go wrong."""

from __future__ import annotations

import csv
import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from kecor.active import stages
from kecor.active.loop import run
from kecor.active.selection.start import initial_frames
from kecor.active.summary import summary_table
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.engine.checkpoints import read_checkpoint
from kecor.errors import ConfigError, DataError, StateError
from tests.active.tiny import tiny_config, write_tiny_set

QUICK = {"epochs": 1, "batch_size": 4, "lr": 0.01}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_set(tmp_path_factory.mktemp("data") / "set", n_train=12, n_val=3)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def reference(data, tmp_path_factory):
    """A finished run of entropy: its folder and its rows."""
    folder = tmp_path_factory.mktemp("reference")
    return folder, make_run(config_of(data), folder)


def config_of(root, /, **sections):
    return tiny_config(root, **{"schedule": QUICK, **sections})


def make_run(config, folder, **settings):
    return run(config, folder, progress=False, **{"log": lambda message: None, **settings})


def state_of(folder):
    return json.loads((folder / "al_state.json").read_text())


def results_of(folder: Path) -> dict[str, str]:
    """What must not depend on when or how often a run was stopped."""
    names = ("selection.json", "metrics.json")
    found = {f"{p.parent.name}/{p.name}": p.read_text() for name in names for p in sorted(folder.glob(f"*/{name}"))}
    return found | {"frames": str(state_of(folder)["frames"]), "boxes": str(state_of(folder)["boxes"])}


def weights_of(path):
    return read_checkpoint(path)["state_dict"]


def test_every_round_leaves_its_files_and_its_row(data, reference):
    folder, rows = reference
    state = state_of(folder)
    assert [len(ids) for ids in state["frames"]] == [4, 3, 3]
    assert len({i for ids in state["frames"] for i in ids}) == 10
    for k in range(3):
        here = folder / f"round_0{k}"
        assert (here / "checkpoint.pth").is_file()
        assert json.loads((here / "metrics.json").read_text()).keys() == {"strict", "loose", "counts"}
        if k < 2:
            selection = json.loads((here / "selection.json").read_text())
            assert selection["ids"] == state["frames"][k + 1]
            assert selection["predicted_cost"] == 3
            drawn = {path.name for path in (here / "picks").iterdir()}
            assert drawn == {f"{i}{end}" for i in selection["ids"] for end in (".png", ".json.gz")}
    assert not (folder / "round_02" / "selection.json").exists()
    assert (folder / "report.html").is_file()
    assert (folder / "curve.png").is_file()
    truth = KittiDataset(data, "train", ["Car", "Pedestrian"], camera_view=False)
    boxes = [sum(len(truth.read(i).boxes) for i in ids) for ids in state["frames"]]
    assert state["boxes"] == boxes
    with (folder / "summary.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert [int(row["boxes"]) for row in table] == np.cumsum(boxes).tolist()
    assert [float(row["cost"]) for row in table] == [4, 7, 10]
    assert [int(row["new_frames"]) for row in table] == [4, 3, 3]
    assert [row["frames"] for row in rows] == [4, 7, 10]
    assert {"Car_3d", "Car_bev_loose", "Pedestrian_3d_loose", "seconds_label"} <= table[0].keys()
    assert "Pedestrian BEV loose" in summary_table(rows, config_of(data))


def test_the_same_config_and_seed_give_the_same_run_bit_for_bit(data, reference, tmp_path):
    make_run(config_of(data), tmp_path)
    assert results_of(tmp_path) == results_of(reference[0])
    again, first = (weights_of(folder / "round_02" / "checkpoint.pth") for folder in (tmp_path, reference[0]))
    assert all(torch.equal(again[name], first[name]) for name in first)


def test_all_methods_share_round_0(data, reference, tmp_path):
    make_run(config_of(data, acquisition={"type": "random"}, active={"rounds": 0}), tmp_path)
    assert state_of(tmp_path)["frames"] == state_of(reference[0])["frames"][:1]
    assert results_of(tmp_path)["round_00/metrics.json"] == results_of(reference[0])["round_00/metrics.json"]
    ids = [f"{i:06d}" for i in range(12)]
    assert initial_frames(ids[::-1], config_of(data)) == initial_frames(ids, config_of(data))
    assert initial_frames(ids, config_of(data, seed=2)) != initial_frames(ids, config_of(data))


@pytest.mark.parametrize(
    "acquisition", [{"type": "entropy"}, {"type": "kecor", "kernel": {"steps": 5, "require_convergence": False}}]
)
def test_the_label_of_a_frame_is_not_read_before_it_is_bought(data, tmp_path, acquisition):
    config = config_of(data, active={"rounds": 1}, acquisition=acquisition)
    make_run(config, tmp_path / "clean")
    first, picked = state_of(tmp_path / "clean")["frames"]
    poisoned = tmp_path / "data"
    shutil.copytree(data, poisoned)
    labels = poisoned / "training" / "label_2"
    for frame_id in KittiDataset(data, "train", ["Car"]).ids:
        if frame_id not in first:
            (labels / f"{frame_id}.txt").write_text("this is no label")
    config.data.root = str(poisoned)
    with pytest.raises(DataError, match=picked[0]):
        make_run(config, tmp_path / "work")
    assert state_of(tmp_path / "work")["stage"] == "label"
    for frame_id in picked:
        shutil.copy(data / "training" / "label_2" / f"{frame_id}.txt", labels)
    make_run(config, tmp_path / "work", resume=True)
    assert results_of(tmp_path / "work") == results_of(tmp_path / "clean")


def test_a_budget_of_boxes_is_charged_by_prediction_and_settled_by_truth(data, tmp_path):
    active = {"rounds": 1, "amount": 13.0, "cost_frame": 1.0, "cost_box": 0.5}
    rows = make_run(config_of(data, active=active, acquisition={"type": "random"}), tmp_path)
    selection = json.loads((tmp_path / "round_00" / "selection.json").read_text())
    assert selection["predicted_cost"] == pytest.approx(len(selection["ids"]) + 0.5 * sum(selection["predicted_boxes"]))
    assert 0 < selection["predicted_cost"] <= 13
    state = state_of(tmp_path)
    assert sum(selection["true_boxes"]) == state["boxes"][1]
    assert selection["true_cost"] == len(selection["ids"]) + 0.5 * state["boxes"][1]
    calibration, bought = selection["info"]["calibration"], selection["bought"]
    assert calibration["basis"] == "RoI scores"
    assert sum(calibration["objects"]) == state["boxes"][0]
    # a class without objects among the RoIs is expected half an object over all labelled frames
    n_labelled = len(state["frames"][0])
    np.testing.assert_allclose(calibration["expected_mean"], calibration["true_mean"], atol=0.5 / n_labelled + 1e-6)
    assert bought["true_mean"] == pytest.approx(np.mean(selection["true_boxes"]))
    assert bought["predicted_mean"] == pytest.approx(np.mean(selection["predicted_boxes"]))
    for k, row in enumerate(rows):
        frames, boxes = sum(map(len, state["frames"][: k + 1])), sum(state["boxes"][: k + 1])
        assert row["cost"] == frames + 0.5 * boxes


@pytest.mark.parametrize("start", ["cold", "warm"])
def test_a_round_starts_from_the_initial_weights_or_warm_from_the_last_round(data, tmp_path, monkeypatch, start):
    begun, train = [], stages.train

    def watched(detector, *arguments, **settings):
        begun.append({name: tensor.clone() for name, tensor in detector.state_dict().items()})
        return train(detector, *arguments, **settings)

    monkeypatch.setattr(stages, "train", watched)
    make_run(config_of(data, active={"rounds": 1, "start": start}, acquisition={"type": "random"}), tmp_path)
    expected = weights_of(tmp_path / {"cold": "initial.pth", "warm": "round_00/checkpoint.pth"}[start])
    initial = weights_of(tmp_path / "initial.pth")
    assert all(torch.equal(begun[0][name], initial[name]) for name in initial)
    assert all(torch.equal(begun[1][name], expected[name]) for name in expected)


def test_a_pool_that_runs_out_is_bought_whole_and_ends_the_run_after_the_next_round(data, tmp_path):
    said = []
    config = config_of(data, active={"initial": 7, "rounds": 5, "amount": 4.0}, acquisition={"type": "random"})
    rows = make_run(config, tmp_path, log=said.append)
    assert [row["frames"] for row in rows] == [7, 11, 12]
    assert any("round 1: the pool is empty now; round 2 is the last" in line for line in said)
    assert any("every frame is labelled" in line for line in said)
    assert state_of(tmp_path)["stage"] == "done"


def test_an_empty_selection_ends_the_run_and_says_so(data, tmp_path):
    said = []
    config = config_of(data, active={"amount": 0.5}, acquisition={"type": "random"})
    rows = make_run(config, tmp_path, log=said.append)
    assert len(rows) == 1
    assert any("random selected no frame" in line for line in said)
    assert make_run(config, tmp_path, resume=True) == rows


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(data, reference, tmp_path, monkeypatch):
    def full(path, value):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(stages, "write_json", full)
        with pytest.raises(StateError, match=r"the disk is full; free some space .* --resume"):
            make_run(config_of(data), tmp_path)
    assert state_of(tmp_path)["stage"] == "evaluate"
    make_run(config_of(data), tmp_path, resume=True)
    assert results_of(tmp_path) == results_of(reference[0])


def test_a_finished_run_is_refused_without_resume_and_repeated_by_none(data, reference):
    folder, rows = reference
    before = {path: path.stat().st_mtime_ns for path in folder.glob("round_*/*.json")}
    with pytest.raises(StateError, match=r"--resume.*--work-dir"):
        make_run(config_of(data), folder)
    assert make_run(config_of(data), folder, resume=True) == rows
    assert {path: path.stat().st_mtime_ns for path in folder.glob("round_*/*.json")} == before


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"active": {"initial": 13}}, "active.initial: got 13, but the split"),
        ({"active": {"initial": 0}}, "active.initial: got 0; expected a number from 1"),
        ({"active": {"dropout_passes": 1}}, "active.dropout_passes: got 1; expected a number from 2"),
        ({"active": {"dropout_rate": 0.0}}, "active.dropout_rate: got 0.0; expected a number above 0"),
        ({"active": {"dropout_rate": 1.0}}, "active.dropout_rate"),
        ({"active": {"amount": -1.0}}, "active.amount"),
        ({"active": {"cost_frame": 0.0}}, "active.amount"),
        ({"seed": -1}, "seed: got -1; expected a number from 0"),
        ({"schedule": {"lr": -1.0}}, "schedule.lr"),
        ({"data": {"val_split": "nowhere"}}, "nowhere"),
        ({"acquisition": {"type": "entropy", "aggregation": "median"}}, "median"),
    ],
)
def test_a_wrong_setting_is_found_before_anything_is_written(data, tmp_path, sections, message):
    with pytest.raises((ConfigError, DataError), match=message):
        make_run(config_of(data, **sections), tmp_path)
    assert not (tmp_path / "al_state.json").exists()


def test_frames_of_both_splits_are_warned_of(data, tmp_path):
    said = []
    config = config_of(data, data={"val_split": "train"}, active={"rounds": 0}, acquisition={"type": "random"})
    make_run(config, tmp_path, log=said.append)
    assert any("12 frames (such as 000000) are in both 'train' and 'train'" in line for line in said)
