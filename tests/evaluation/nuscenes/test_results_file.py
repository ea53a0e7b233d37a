"""Wrong result files are refused in one line, by the reader and by the command."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kecor.errors import DataError
from kecor.evaluation.nuscenes.results_file import read_results
from tests.datasets.nuscenes.world import VERSION, need_devkit
from tests.shared import shared_data

need_devkit()

TOOL = Path(__file__).parents[3] / "tools" / "eval_nuscenes.py"
BOX = {
    "sample_token": "a",
    "translation": [1.0, 2.0, 3.0],
    "size": [1.0, 2.0, 3.0],
    "rotation": [1.0, 0.0, 0.0, 0.0],
    "velocity": [0.0, float("nan")],
    "detection_name": "car",
    "detection_score": 0.5,
    "attribute_name": "",
}


def read(tmp_path, results):
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"meta": {}, "results": results}))
    return read_results(path, ["a", "b"])


def test_a_good_file(tmp_path):
    assert list(read(tmp_path, {"b": [], "a": [BOX]})) == ["b", "a"]


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"a": []}, "sample b is missing"),
        ({"a": [], "b": [], "c": []}, "sample c is not in this split"),
        ([], "holds no results"),
        ({"a": {}, "b": []}, "sample a: expected a list of boxes"),
        ({"a": [1], "b": []}, "sample a: box 0: is no JSON object"),
        ({"a": [BOX] * 501, "b": []}, "sample a: 501 boxes; at most 500"),
        ({"a": [], "b": [BOX]}, "sample b: box 0: sample_token is 'a'"),
    ],
)
def test_wrong_samples(tmp_path, results, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, results)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("translation", [1.0, float("nan"), 3.0]),
        ("translation", "here"),
        ("size", [1.0, 0.0, 3.0]),
        ("size", [1.0, 2.0]),
        ("rotation", [0, 0, 0, 0]),
        ("velocity", [float("inf"), 0.0]),
        ("velocity", [10**400, 0.0]),
        ("velocity", None),
        ("detection_name", "tank"),
        ("detection_score", float("nan")),
        ("detection_score", "high"),
        ("attribute_name", "vehicle.flying"),
        ("attribute_name", None),
    ],
)
def test_wrong_boxes(tmp_path, key, value):
    with pytest.raises(DataError, match=f"sample a: box 1: .*{key}"):
        read(tmp_path, {"a": [BOX, {**BOX, key: value}], "b": []})


def test_no_json(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("{")
    with pytest.raises(DataError, match="no valid JSON"):
        read_results(path, ["a"])


def run(*arguments):
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_command(tmp_path):
    root = shared_data("nuscenes", "synthetic_mini")
    common = ["--root", root, "--version", VERSION, "--split", "mini_val", "--out", tmp_path / "out.json"]
    done = run(*common, "--results", root / "results_mini_val.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    expected = json.loads((root / "expected_metrics_mini_val.json").read_text())
    for key in ("mean_ap", "nd_score"):
        assert found[key] == pytest.approx(expected[key], abs=1e-6)
    for name, by_distance in expected["label_aps"].items():
        assert found["label_aps"][name] == pytest.approx(by_distance, abs=1e-6)
    failed = run(*common, "--results", root / "results_mini_train.json")
    assert failed.returncode == 2
    assert "is not in this split" in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1


def test_help_is_quick():
    start = time.perf_counter()
    done = run("--help")
    assert done.returncode == 0
    assert "example:" in done.stdout
    assert time.perf_counter() - start < 5
