import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kecor.evaluation.waymo.inputs import as_arrays
from tests.evaluation.waymo.scenes import random_scene
from tests.shared import shared_data

TOOL = Path(__file__).parents[2] / "tools" / "eval_waymo.py"


@pytest.fixture
def run(command):
    return partial(command, "eval_waymo")


@pytest.mark.parametrize("name", ["a_plain", "b_ties_nlz_zero_points", "edge_no_predictions"])
def test_equals_the_official_numbers(run, tmp_path, name):
    out = tmp_path / "new" / "ap.json"
    code, output, errors = run("--arrays", shared_data("waymo", "metrics", f"{name}.npz"), "--out", out)
    assert code == 0, errors
    expected = json.loads(shared_data("waymo", "metrics", f"{name}.expected.json").read_text())["breakdowns"]
    result = json.loads(out.read_text())["breakdowns"]
    assert result == {row: pytest.approx(values, abs=1e-5) for row, values in expected.items()}
    assert "RANGE_TYPE_VEHICLE_[50, +inf)_LEVEL_2" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --arrays"),
        (["--gt", "GT.bin"], "give either --arrays"),
        (["--arrays", "a.npz", "--gt", "GT.bin", "--det", "DET.bin"], "give either --arrays"),
        (["--arrays", "absent.npz"], "absent.npz: cannot be read"),
        (["--gt", "GT.bin", "--det", "DET.bin"], "GT.bin: cannot be read"),
        (["--arrays", "absent.npz", "--official", "--official-python", "nowhere"], "pip install"),
    ],
)
def test_errors_are_one_line_and_write_nothing(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, errors = run(*arguments, "--out", "ap.json")
    assert code == 2
    assert len(errors.splitlines()) == 1
    assert message in errors
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_an_error(run, tmp_path):
    np.savez(tmp_path / "a.npz", **as_arrays(*random_scene(np.random.default_rng(0))))
    code, _, errors = run("--arrays", tmp_path / "a.npz", "--out", tmp_path)
    assert code == 2
    assert "cannot be written" in errors


def test_runs_as_a_script_whose_help_ends_in_an_example():
    done = subprocess.run([sys.executable, str(TOOL), "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("--out ap.json")
