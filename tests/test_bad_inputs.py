"""Inputs that go wrong in practice: each ends in success, or in one line that says what is wrong and what to do.

The inputs are built from real KITTI frames by a script outside the project; see :mod:`tests.shared`.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys

import pytest

from kecor.registry import ACQUISITIONS
from tests.active.tiny import tiny_values
from tests.shared import shared_data

CASES = {
    "base": (None, ""),
    "f64": (r"\.bin: looks like float64 with 4 columns; expected float32 with 4", "looks like float64"),
    "c3_mult4": (r"\.bin: looks like float32 with 3 columns; expected float32 with 4", "looks like float32 with 3"),
    "untransformed": (None, "hold no point; they do when x y z and rotation are read in the LiDAR frame"),
    "lower": (r"label_2/\d+\.txt: no object of class '(Car|Pedestrian)', but '(car|pedestrian)'; spell", ""),
    "bom_label": (None, ""),
    "bbox0": (None, ""),
    "testing": (None, ""),
    "partial_labels": (r"selected frames have no labels, such as \d+; label .*--resume", "4 of 8 frames have no label"),
    "empty_val": (r"data\.val_split: the split 'val' has no frame", r"val.txt: lists no frame"),
}
"""Case -> the one line that a run ends in (None: it succeeds), and the warning of the check (empty: none)."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """``make(case)`` builds a data set and gives its folder."""
    script = shared_data("bad_inputs", "make_inputs.py")
    shared_data("kitti_mini")
    spec = importlib.util.spec_from_file_location("make_inputs", script)
    builder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builder)
    assert builder.CASES.keys() == CASES.keys(), "a new case needs an expected answer here"

    def make(case):
        folder = tmp_path_factory.mktemp("bad") / case
        builder.base(folder)
        builder.CASES[case](folder)
        return folder

    return make


def config_file(root, path, **sections):
    sections = {"schedule": {"epochs": 1, "batch_size": 4}, "acquisition": {"type": "random"}, **sections}
    sections["data"] = {"augmentation": [], "camera_view": True, **sections.get("data", {})}
    sections.setdefault("active", {"initial": 2, "rounds": 1, "amount": 2.0})
    path.write_text(json.dumps(tiny_values(root, **sections)))  # JSON is YAML
    return path


def is_one_line(err):
    """Whether the error output ends in one line of ours, without a traceback."""
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    return len(lines) == 1 and "Traceback" not in err


@pytest.mark.parametrize("case", CASES)
def test_the_check_of_a_data_set_warns_of_what_is_wrong(inputs, command, case):
    code, out, err = command("create_data", "kitti", "--root", inputs(case))
    warnings = [line for line in out.splitlines() if line.startswith("warning: ")]
    assert code == (1 if case in ("f64", "c3_mult4") else 0)
    assert "Traceback" not in err
    assert bool(warnings) == bool(CASES[case][1])
    assert all(CASES[case][1] in line for line in warnings)


@pytest.mark.parametrize("case", CASES)
def test_a_run_succeeds_or_ends_in_one_line_before_work_is_lost(inputs, command, tmp_path, case):
    root, work = inputs(case), tmp_path / "work"
    config = config_file(root, tmp_path / "config.yaml")
    code, _, err = command("train_al", config, "--work-dir", work, "--device", "cpu")
    expected = CASES[case][0]
    assert "Traceback" not in err
    if expected is None:
        assert code == 0
        assert (work / "report.html").is_file()
    else:
        assert code == 2
        assert is_one_line(err)
        assert re.search(expected, err)
        trained = (work / "round_00" / "checkpoint.pth").exists()
        assert trained == (case == "partial_labels"), "faults are found before training"


@pytest.mark.parametrize("name", ["train", "train_al"])
def test_training_begins_with_an_account_of_what_is_trained(inputs, command, tmp_path, name):
    config = config_file(inputs("untransformed"), tmp_path / "config.yaml", active={"initial": 6, "rounds": 0})
    code, out, err = command(name, config, "--work-dir", tmp_path / "work", "--device", "cpu")
    assert code == 0
    said = err if name == "train" else out
    assert re.search(r"^6 labelled frames, \d+ boxes: Car \d+, Pedestrian \d+$", said, re.MULTILINE)
    assert re.search(r"^\d+ points a frame \(median\); 100.0% of the boxes hold no point", said, re.MULTILINE)
    assert re.search(
        r"^warning: 100% of .* they do when x y z and rotation are read in the LiDAR frame", said, re.MULTILINE
    )
    if name == "train":
        assert out.startswith("AP at ")


@pytest.mark.parametrize("name", ["train", "train_al"])
def test_a_volume_without_points_and_a_class_without_objects_are_errors(inputs, command, tmp_path, name):
    root = inputs("base")
    for number, (key, value, words) in enumerate(
        [
            ("point_cloud_range", [200, -9.6, -3, 219.2, 9.6, 1], r"none of \d frames, such as 0\d+, has a point"),
            ("classes", ["Car", "Pedestriam"], "class 'Pedestriam'; the nearest class is 'Pedestrian'"),
        ]
    ):
        config = config_file(root, tmp_path / "config.yaml", data={key: value}, active={"initial": 6, "rounds": 0})
        values = json.loads(config.read_text())
        if key == "classes":
            values["detector"]["dense_head"]["anchors"][1]["name"] = value[1]
            values["data"]["augmentation"] = []
        config.write_text(json.dumps(values))
        code, _, err = command(name, config, "--work-dir", tmp_path / f"work_{number}", "--device", "cpu")
        assert (code, is_one_line(err)) == (2, True)
        assert re.search(words, err)


def test_frames_without_labels_are_bought_once_they_are_labelled(inputs, command, tmp_path):
    root, work = inputs("partial_labels"), tmp_path / "work"
    config = config_file(root, tmp_path / "config.yaml")
    code, _, _ = command("train_al", config, "--work-dir", work, "--device", "cpu")
    assert code == 2
    state = json.loads((work / "al_state.json").read_text())
    picked = json.loads((work / "round_00" / "selection.json").read_text())["ids"]
    labels = root / "training" / "label_2"
    assert all((labels / f"{frame_id}.txt").is_file() for frame_id in state["frames"][0])
    for frame_id in picked:
        original = shared_data("kitti_mini", "training", "label_2", f"{frame_id}.txt")
        (labels / original.name).write_bytes(original.read_bytes())
    code, _, err = command("train_al", config, "--work-dir", work, "--device", "cpu", "--resume")
    assert (code, "Traceback" in err) == (0, False)
    assert json.loads((work / "al_state.json").read_text())["frames"] == [state["frames"][0], picked]


def test_a_split_without_labels_gives_result_files_and_no_ap(inputs, command, tmp_path):
    config = config_file(inputs("testing"), tmp_path / "config.yaml", active={"initial": 2, "rounds": 0})
    command("train_al", config, "--work-dir", tmp_path / "work", "--device", "cpu")
    checkpoint = tmp_path / "work" / "round_00" / "checkpoint.pth"
    out = tmp_path / "test"
    code, _, err = command("test", config, checkpoint, "--split", "test", "--work-dir", out, "--device", "cpu")
    assert (code, "Traceback" in err) == (0, False)
    assert sorted(path.name for path in (out / "results").glob("*.txt")) == ["000007.txt", "000009.txt"]
    assert not (out / "metrics.json").exists()


@pytest.mark.parametrize(("folder", "words"), [("eval_no_2d_boxes", "2D"), ("eval_own_class", "")])
def test_evaluation_says_what_it_cannot_measure(command, tmp_path, folder, words):
    root = shared_data("bad_inputs", folder)
    names = {line.split()[0] for path in (root / "gt").glob("*.txt") for line in path.read_text().splitlines()}
    classes = sorted(names - {"DontCare"})
    out = tmp_path / "ap.json"
    arguments = ["--gt-dir", root / "gt", "--det-dir", root / "det", "--classes", *classes, "--out", out]
    code, _, err = command("eval_kitti", *arguments)
    assert (code, "Traceback" in err) == (0, False)
    assert words in err
    result = json.loads(out.read_text())
    assert set(result) == set(classes)
    for name in classes:
        assert any(value is not None for kind in ("3d", "bev") for value in result[name][kind]["R40"])


@pytest.mark.parametrize(
    ("method", "words"),
    [("in_place_shuffle", "read-only"), ("in_place_rename", "read-only"), ("leaves_early", "SystemExit: 0")],
)
def test_methods_that_misbehave_are_named_with_their_line(command, tmp_path, monkeypatch, method, words):
    import numpy as np

    folder = shared_data("bad_inputs", "plug_in")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("pool", "labelled"):
        np.savez(tmp_path / f"{name}.npz", ids=np.array([f"{name}_{i}" for i in range(3)]))
    arguments = ["--pool", tmp_path / "pool.npz", "--labelled", tmp_path / "labelled.npz", "--budget", 1]
    arguments += ["--method", method, "--import", "in_place", "--out", tmp_path / "selection.json"]
    code, _, err = command("select", *arguments)
    ACQUISITIONS.module_dict.pop(method, None)
    assert code == 2
    assert is_one_line(err)
    assert method in err
    assert words in err.replace("read only", "read-only")
    assert f"{folder / 'in_place.py'}:" in err
    assert not (tmp_path / "selection.json").exists()


def test_a_method_that_does_not_parse_is_named_with_its_line(command, tmp_path, monkeypatch):
    folder = shared_data("bad_inputs", "plug_in")
    monkeypatch.syspath_prepend(folder)
    sets = ["--pool", tmp_path, "--labelled", tmp_path, "--budget", 1]
    code, _, err = command("select", *sets, "--method", "any", "--out", tmp_path / "a.json", "--import", "syntax_error")
    assert code == 2
    assert is_one_line(err)
    assert f"SyntaxError: invalid syntax ({folder / 'syntax_error.py'}:1)" in err


def test_the_folder_holds_no_input_that_is_not_tested():
    folder = shared_data("bad_inputs")
    known = {"README.md", "make_inputs.py", "eval_no_2d_boxes", "eval_own_class", "plug_in"}
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == known
    assert {path.name for path in (folder / "plug_in").glob("*.py")} == {"in_place.py", "syntax_error.py"}
