import dataclasses
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from kecor.config import DataConfig, VoxelConfig, load_config
from kecor.config.layers import SHIPPED
from kecor.datasets import build_dataset
from kecor.datasets.custom import CustomDataset, write_custom_set
from kecor.datasets.custom.create import create
from kecor.datasets.samples import Samples, collate
from kecor.detectors import build_detector
from kecor.errors import ConfigError, DataError
from tests.datasets.custom.worlds import site, sites


def made(root: Path, frames=None, **keys) -> Path:
    frames = sites(8, cars=14) if frames is None else frames
    write_custom_set(root, frames, {"val": [frame.frame_id for frame in frames[-2:]]}, **keys)
    return root


def test_a_good_set_is_measured_without_a_warning(tmp_path, capsys):
    root = made(tmp_path)
    _, out = create(root)
    printed = capsys.readouterr().out
    assert "warning" not in printed
    assert "8 sweeps, 8 of them readable, 8 labelled" in printed
    assert out == root / "kecor_custom.yaml"
    config = yaml.safe_load(out.read_text())
    data = config["data"]
    assert (data["type"], data["root"], data["classes"]) == ("custom", str(root), ["Car", "Walker"])
    assert (data["columns"], data["intensity"]) == (["x", "y", "z", "intensity"], 1.0)
    assert data["augmentation"][0] == {"type": "gt_sampling", "counts": {"Car": 15, "Walker": 15}}
    low, high = np.reshape(data["point_cloud_range"], (2, 3))
    assert (low[:2] < -35).all()
    assert (high[:2] > 31).all()
    car, walker = config["detector"]["dense_head"]["anchors"]
    np.testing.assert_allclose(car["size"], [4.2, 1.8, 1.6], atol=0.06)
    np.testing.assert_allclose(walker["size"], [0.8, 0.6, 1.8], atol=0.03)
    assert car["bottom"] == walker["bottom"] == pytest.approx(-1.7)


def test_what_is_written_builds_the_data_set(tmp_path):
    root = made(tmp_path)
    create(root, voxel=0.16)
    data = yaml.safe_load((root / "kecor_custom.yaml").read_text())["data"]
    keys = {key: data[key] for key in ("root", "classes", "columns", "intensity", "label_reading")}
    dataset = CustomDataset(split="train", **keys)
    assert len(dataset.read("000").boxes) == 17
    low, high = np.reshape(data["point_cloud_range"], (2, 3))
    assert (np.round((high - low)[:2] / 0.16) % 16 == 0).all()


def test_what_is_written_is_a_config_on_top_of_another(tmp_path):
    root = made(tmp_path / "set")
    _, out = create(root)
    config = load_config(out)
    assert (config.data.classes, config.evaluation, config.detector["type"]) == (
        ["Car", "Walker"],
        {"type": "boxes"},
        "second",
    )
    assert [anchor["name"] for anchor in config.detector["dense_head"]["anchors"]] == ["Car", "Walker"]
    assert config.detector["backbone_2d"] == load_config("custom/second.yaml").detector["backbone_2d"]
    _, out = create(root, config=SHIPPED / "custom" / "second_small.yaml")
    assert yaml.safe_load(out.read_text())["_base_"] == "custom/second_small.yaml"
    small = load_config(out)
    assert small.data.voxels.size == [0.2, 0.2, 0.1]
    assert small.data.augmentation[-1] == {"type": "rotate", "max_angle": 0.1}
    own = tmp_path / "own.yaml"
    own.write_text("_base_: custom/second_small.yaml\nseed: 9\n")
    _, out = create(root, out=tmp_path / "elsewhere" / "measured.yaml", config=own)
    assert load_config(out).seed == 9
    dataset = build_dataset(load_config(out).data, "train")
    assert dataset.read("000").names.tolist().count("Car") == 14


def test_only_labelled_frames_are_measured(tmp_path):
    frames = sites(8, cars=14)
    for frame in frames[4:]:
        frame.boxes[:, 3:6] *= 2
        frame.points[:, 3] *= 255
    write_custom_set(tmp_path, frames, {"val": ["000"]}, unlabelled=[frame.frame_id for frame in frames[4:]])
    outcome, _ = create(tmp_path)
    assert outcome.settings["data"]["intensity"] == 1.0
    np.testing.assert_allclose(outcome.settings["detector"]["dense_head"]["anchors"][0]["size"][0], 4.2, atol=0.1)
    assert [frame.frame_id for frame in outcome.sweeps] == ["000", "001", "002", "003"]


def test_warnings_are_in_plain_words(tmp_path, capsys):
    frames = sites(8, cars=14)
    for frame in frames:
        frame.points[:, 3] *= 255
    root = made(tmp_path, frames)
    first = root / "labels" / "000.txt"
    first.write_text(first.read_text() + "900 0 0 4 2 1.5 0 Car\n1 1 1 1 1 1 0 Drone\n")
    (root / "labels" / "001.txt").write_text("1 2 3\n")
    (root / "labels" / "zzz.txt").write_text("")
    (root / "points" / "002.bin").write_bytes(b"12345")
    (root / "ImageSets" / "train.txt").write_text("000\n002\n007\n")
    create(root)
    printed = capsys.readouterr().out
    for says in (
        "001.txt:1: 3 words",
        "there is no cloud of frame zzz",
        "002.bin",
        "class Drone has 1 labelled box alone",
        "1 labelled boxes lie outside the volume and are not trained on, in frames 000",
        "intensity reaches 255, beyond 1",
        "1 frames are both in train.txt and in val.txt, such as 007",
        "4 frames are in no list",
    ):
        assert says in printed


def test_labels_in_degrees_from_the_bottom_are_recognised(tmp_path, capsys):
    root = made(tmp_path)
    for path in (root / "labels").iterdir():
        rows = [line.split() for line in path.read_text().splitlines()]
        for row in rows:
            row[2] = str(float(row[2]) - float(row[5]) / 2)
            row[6] = str(np.rad2deg(float(row[6])))
        path.write_text("".join(" ".join(row) + "\n" for row in rows))
    create(root)
    printed = capsys.readouterr().out
    assert "headings exceed two pi" in printed
    assert "data.label_reading: [degrees, bottom] reads them so" in printed
    create(root, label_reading=["degrees", "bottom"])
    assert "warning" not in capsys.readouterr().out


@pytest.mark.parametrize("form", ["bin", "npy"])
def test_columns_are_found_out(tmp_path, form, capsys):
    frames = sites(8, cars=14)
    for frame in frames:
        ring = np.arange(len(frame.points), dtype=np.float32) % 64
        frame.points = np.column_stack([frame.points, ring])
    root = made(tmp_path, frames, form=form)
    outcome, _ = create(root)
    assert outcome.settings["data"]["columns"] == ["x", "y", "z", "intensity", "_"]
    outcome, _ = create(root, columns=["x", "y", "z", "intensity", "ring"])
    assert outcome.settings["detector"]["backbone_3d"] == {"in_channels": 5}
    assert "warning" not in capsys.readouterr().out


def test_wrong_columns_that_fit_by_chance_are_named(tmp_path, capsys):
    frames = sites(4, cars=14)
    for frame in frames:
        frame.points = frame.points[:, :3]
    create(made(tmp_path, frames), columns=["x", "y", "z"])
    assert "likely holds" not in capsys.readouterr().out
    create(tmp_path, columns=["x", "y", "z", "intensity"])
    assert "likely holds 3 columns of float32, not 4 of float32; set data.columns" in capsys.readouterr().out
    for path in (tmp_path / "points").iterdir():
        path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match="none of the 4 clouds"):
        create(tmp_path)


def test_what_cannot_be_measured_says_why(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        create(tmp_path / "none")
    write_custom_set(tmp_path, sites(2), unlabelled=["000", "001"])
    with pytest.raises(DataError, match="no object is labelled"):
        create(tmp_path)
    write_custom_set(tmp_path, [site(0)])
    with pytest.raises(DataError, match="no object of class 'car'; the nearest class is 'Car'"):
        create(tmp_path, classes=["car"])
    with pytest.raises(ConfigError, match="voxel size"):
        create(tmp_path, voxel=0)
    with pytest.raises(ConfigError, match="sideways"):
        create(tmp_path, label_reading=["sideways"])
    with pytest.raises(DataError, match="cannot be written"):
        create(tmp_path, out=tmp_path / "points" / "000.bin" / "x.yaml")


def test_a_detector_is_built_and_trained_from_what_is_measured(tmp_path):
    create(made(tmp_path), voxel=0.16)
    measured = yaml.safe_load((tmp_path / "kecor_custom.yaml").read_text())
    known = {field.name for field in dataclasses.fields(DataConfig)}
    data = DataConfig(**{key: value for key, value in measured["data"].items() if key in known})
    data.voxels = VoxelConfig(**measured["data"]["voxels"])
    small = {"backbone_2d": {"layers": [1, 1], "filters": [16, 16], "up_filters": [16, 16]}}
    backbone = {"channels": [4, 4, 8, 8, 8], "out_channels": 8}
    detector = build_detector({"type": "second", "backbone_3d": backbone, **small, **measured["detector"]}, data)
    dataset = CustomDataset(tmp_path, "train", data.classes)
    samples = Samples(dataset.read, dataset.ids, data, training=True)
    losses = detector(**collate([samples[0], samples[1]]), mode="loss")
    total = sum(loss for loss in losses.values() if isinstance(loss, torch.Tensor))
    assert torch.isfinite(total)
    total.backward()


def test_the_tool_draws_three_sweeps(tmp_path, monkeypatch, capsys):
    root = made(tmp_path / "set")
    out = tmp_path / "measured.yaml"
    tool = Path(__file__).parents[3] / "tools" / "create_data.py"
    monkeypatch.setattr(sys, "argv", [str(tool), "custom", "--root", str(root), "--out", str(out)])
    with pytest.raises(SystemExit) as exit_:
        runpy.run_path(str(tool), run_name="__main__")
    assert exit_.value.code == 0
    assert out.exists()
    assert (tmp_path / "measured.png").read_bytes().startswith(b"\x89PNG")
    assert "check that the boxes lie on their objects" in capsys.readouterr().out
