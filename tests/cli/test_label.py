import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kecor.registry import DATASETS
from kecor.structures import Frame
from tests.labelling.cases import copied, difference, edit_json, expected
from tests.shared import shared_data

TOOL = Path(__file__).parents[2] / "tools" / "label.py"
IDS = ["s/1", "s/2", "t/1"]


class Sweeps:
    """A data set without labels."""

    def __init__(self, root, split, classes):
        self.ids = IDS

    def read(self, frame_id, labels=True):
        assert not labels
        return Frame(frame_id, np.ones((5, 4), np.float32))


@pytest.fixture
def label(monkeypatch, command, tmp_path):
    """Run the command in a folder of its own: exit code, output, error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(DATASETS.module_dict, "sweeps", Sweeps)
    return partial(command, "label")


@pytest.fixture
def handed_out(label, tmp_path):
    """An export of three frames, two of them with pre-labels."""
    boxes = [{"name": "Car", "box": [x, 0.5, -1, 4, 1.8, 1.5, 3.1]} for x in (5, 15, 25)]
    (tmp_path / "pre.json").write_text(json.dumps({"s/1": boxes, "t/1": boxes[:2]}))
    (tmp_path / "ids.txt").write_text("t/1\ns/2\ns/1\n")
    common = [
        "--data",
        ".",
        "--type",
        "sweeps",
        "--split",
        "pool",
        "--prelabels",
        "pre.json",
        "--classes",
        "Car",
        "Van",
    ]
    code, out, _ = label("export", "labelcloud", *common, "--ids", "ids.txt", "--out", "work")
    assert code == 0
    assert "5" in out
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("sample", "more"),
    [("labelcloud/vertices", []), ("datumaro", []), ("kitti_raw", ["--sizes", "zyx"]), ("openpcdet_custom", [])],
)
def test_check_writes_the_boxes_of_a_sample(label, tmp_path, sample, more):
    folder = shared_data("labelling", *sample.split("/"))
    code, out, err = label("check", sample.split("/")[0], folder, *more, "--out", "boxes.json")
    assert (code, err) == (0, "")
    found, truth = json.loads((tmp_path / "boxes.json").read_text()), expected(folder)
    assert found.keys() == truth.keys()
    for frame_id, (names, boxes) in truth.items():
        assert [row["name"] for row in found[frame_id]] == names
        assert difference([row["box"] for row in found[frame_id]], boxes) <= 0.006
    total = sum(len(names) for names, _ in truth.values())
    assert any(line.split() == ["all", str(total), str(len(truth))] for line in out.splitlines())


def test_check_names_problems_and_leaves_the_frames_out(label, tmp_path):
    folder = copied(shared_data("labelling", "labelcloud", "centroid_rel"), tmp_path / "delivery")
    edit_json(folder / "labels/000114.json", lambda value: value["objects"][2]["dimensions"].update(width=-1))
    code, out, err = label("check", "labelcloud", folder, "--out", "boxes.json")
    assert code == 2
    assert "000114.json: objects[2]: sizes" in out
    assert "1 frames cannot be used" in err
    assert sorted(json.loads((tmp_path / "boxes.json").read_text())) == ["000003", "000289"]


def test_check_asks_for_what_a_file_does_not_say(label, tmp_path):
    code, _, err = label("check", "kitti_raw", shared_data("labelling", "kitti_raw"), "--out", "boxes.json")
    assert code == 2
    assert "--sizes yxz" in err
    assert not (tmp_path / "boxes.json").exists()


def test_export_keeps_the_order_of_the_ids(handed_out):
    assert (handed_out / "ids.txt").read_text().split() == ["t/1", "s/2", "s/1"]
    assert sorted(path.name for path in (handed_out / "pointclouds").iterdir()) == ["s__1.pcd", "s__2.pcd", "t__1.pcd"]


def test_import_names_missing_frames_and_stores_nothing(label, handed_out, tmp_path):
    code, out, err = label("import", "labelcloud", handed_out, "--out", "labels")
    assert code == 2
    assert "s/2" in out
    assert "--accept-missing" in err
    assert not (tmp_path / "labels").exists()


def test_import_says_what_changed_and_stores_labels(label, handed_out, tmp_path):
    def edit(value):
        value["objects"][0]["name"] = "Van"
        value["objects"][1]["centroid"]["x"] += 0.4
        value["objects"][2]["centroid"]["x"] += 40

    edit_json(handed_out / "labels/s__1.json", edit)
    arguments = ["import", "labelcloud", handed_out, "--out", "labels", "--against", "pre.json", "--accept-missing"]
    code, out, err = label(*arguments)
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert rows["frame"] == ["kept", "moved", "renamed", "added", "deleted"]
    assert (rows["s/1"], rows["t/1"]) == (["0", "1", "1", "1", "1"], ["2", "0", "0", "0", "0"])
    assert "1 of 2 frames came back as they were handed out" in out
    assert "2 label files new, 0 replaced, 0 the same" in out
    assert (tmp_path / "labels/s/1.txt").read_text().splitlines() == [
        "5 0.5 -1 4 1.8 1.5 3.1 Van",
        "15.4 0.5 -1 4 1.8 1.5 3.1 Car",
        "65 0.5 -1 4 1.8 1.5 3.1 Car",
    ]
    (handed_out / "labels/s__2.json").write_text('{"objects": []}')
    edit_json(handed_out / "labels/t__1.json", lambda value: value.update(objects=value["objects"][:1]))
    code, out, _ = label("import", "labelcloud", handed_out, "--out", "labels")
    assert code == 0
    assert "1 label files new, 1 replaced, 1 the same" in out
    assert (tmp_path / "labels/s/2.txt").read_text() == ""


def test_import_with_a_problem_stores_nothing(label, handed_out, tmp_path):
    code, out, _ = label(
        "import", "labelcloud", handed_out, "--out", "labels", "--accept-missing", "--classes", "Van", "Truck"
    )
    assert code == 2
    assert "class 'Car' is not one of Van, Truck" in out
    assert not (tmp_path / "labels").exists()
    code, *_ = label(
        "import",
        "labelcloud",
        handed_out,
        "--out",
        "labels",
        "--accept-missing",
        "--classes",
        "Van",
        "--rename",
        "Car=Van",
    )
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "labelclud", "work", "--out", "a.json"], "'labelclud' is unknown; use one of labelcloud"),
        (["check", "labelcloud", "gone", "--out", "a.json"], "gone: holds no folder labels"),
        (["check", "labelcloud", "work", "--sizes", "zyx", "--out", "a.json"], "option sizes"),
        (["check", "labelcloud", "work", "--ids", "gone.txt", "--out", "a.json"], "gone.txt: cannot be read"),
        (["check", "labelcloud", "work", "--rename", "Car", "--out", "a.json"], "write OLD=NEW"),
        (["check", "labelcloud", "work", "--out", "work"], "work"),
        (["import", "labelcloud", "work", "--out", "work/labels"], "lies in the delivery"),
        (["import", "labelcloud", "work", "--against", "ids.txt", "--out", "l"], "ids.txt: is no valid JSON"),
        (
            ["export", "labelcloud", "--data", ".", "--type", "nope", "--split", "x", "--classes", "A", "--out", "o"],
            "--type nope",
        ),
    ],
)
def test_mistakes_are_one_message(label, handed_out, arguments, message):
    code, _, err = label(*arguments)
    assert code == 2
    assert err.startswith("error: ")
    assert message in err


def test_help_imports_nothing_heavy():
    script = (
        "import runpy, sys\n"
        "sys.argv = ['label.py', '--help']\n"
        f"try: runpy.run_path({str(TOOL)!r}, run_name='__main__')\n"
        "except SystemExit: print(sorted({'torch', 'open3d', 'scipy', 'mmengine'} & set(sys.modules)))"
    )
    call = [sys.executable, "-c", script]
    done = subprocess.run(call, capture_output=True, text=True, cwd=TOOL.parents[1], check=True)
    assert done.stdout.strip().endswith("[]")
