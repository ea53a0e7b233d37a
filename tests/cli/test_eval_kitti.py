import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.shared import shared_data

TOOL = Path(__file__).parents[2] / "tools" / "eval_kitti.py"
CAR = "Car 0.00 0 0.00 100.00 100.00 200.00 180.00 1.50 1.60 3.90 0.00 1.70 20.00 0.00"
REGION = "DontCare -1 -1 -10 10.00 10.00 50.00 50.00 -1 -1 -1 -1000 -1000 -1000 -10"


@pytest.fixture
def run(command):
    return partial(command, "eval_kitti")


@pytest.fixture
def folders(tmp_path):
    gt, det = tmp_path / "gt", tmp_path / "det"
    gt.mkdir()
    det.mkdir()
    for i in range(50):
        (gt / f"{i:06d}.txt").write_text(f"{CAR}\n{REGION}\n")
        (det / f"{i:06d}.txt").write_text(f"{CAR} {i / 50}\n")
    return tmp_path


def arguments(folders, *more):
    return "--gt-dir", folders / "gt", "--det-dir", folders / "det", "--out", folders / "ap.json", *more


def test_equals_the_official_numbers(run, tmp_path):
    root = shared_data("kitti_eval")
    out = tmp_path / "new" / "ap.json"
    code, output, progress = run("--gt-dir", root / "gt", "--det-dir", root / "det", "--out", out)
    assert code == 0, progress
    result = json.loads(out.read_text())
    expected = json.loads((root / "expected_ap.json").read_text())
    assert list(result) == ["Car", "Pedestrian", "Cyclist"]
    assert result["Car"]["3d"]["R40"] == pytest.approx(expected["car_detection_3d"]["R40_from_curve"], abs=1e-3)
    assert result["Cyclist"]["aos"]["R11"] == pytest.approx(expected["cyclist_orientation"]["R11_printed"], abs=1e-3)
    assert "Pedestrian  bev     R11" in output
    assert "154/154" in progress


def test_ids_choose_the_frames_and_classes_without_objects_are_null(run, folders):
    shutil.copy(folders / "det" / "000000.txt", folders / "det" / "000099.txt")  # has no label file
    (folders / "ids.txt").write_text("".join(f"{i:06d}\n" for i in range(45)))
    code, output, errors = run(*arguments(folders, "--ids", folders / "ids.txt", "--overlaps", "loose"))
    assert code == 0, errors
    assert "45 frames, loose overlaps" in output
    result = json.loads((folders / "ap.json").read_text())
    assert set(result["Car"]) == {"bbox", "bev", "3d", "aos"}
    assert result["Car"]["3d"] == {"R11": [pytest.approx(100)] * 3, "R40": [pytest.approx(100)] * 3}
    assert result["Cyclist"]["3d"] == {"R11": [None] * 3, "R40": [None] * 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "det" / "000007.txt").unlink(), "frame 000007: no result file"),
        (lambda f: (f / "gt" / "000008.txt").unlink(), "frame 000008: no label file"),
        (lambda f: (f / "det" / "000003.txt").write_text(f"{CAR} 0.5\n{CAR}\n"), "000003.txt:2: 15 fields"),
        (lambda f: (f / "gt" / "000004.txt").write_text(CAR.replace("3.90", "x")), "000004.txt:1: could not convert"),
        (lambda f: (f / "ids.txt").write_text("000001\n000001\n"), "ids.txt: 000001 stands more than once"),
        (lambda f: (f / "ids.txt").write_text("\n"), "ids.txt: holds no frame id"),
        (lambda f: (f / "ids.txt").unlink(), "ids.txt: cannot be read"),
        (lambda f: shutil.rmtree(f / "gt"), "gt: no such folder"),
    ],
)
def test_errors_are_one_line_and_write_nothing(run, folders, change, message):
    (folders / "ids.txt").write_text("".join(f"{i:06d}\n" for i in range(50)))
    change(folders)
    code, _, output = run(*arguments(folders, "--ids", folders / "ids.txt"))
    assert code == 2
    errors = [line for line in output.splitlines() if "error: " in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (folders / "ap.json").exists()


def test_an_output_that_cannot_be_written_is_an_error(run, folders):
    (folders / "ap.json").mkdir()
    code, _, output = run(*arguments(folders))
    assert code == 2
    assert "ap.json: cannot be written" in output
    assert sorted(p.name for p in folders.iterdir()) == ["ap.json", "det", "gt"]


def test_without_ids_an_empty_folder_is_an_error_and_an_empty_file_is_not(run, folders):
    (folders / "det" / "000000.txt").write_text("")
    assert run(*arguments(folders))[0] == 0
    shutil.rmtree(folders / "det")
    (folders / "det").mkdir()
    code, _, output = run(*arguments(folders))
    assert code == 2
    assert "holds no result file" in output


def test_runs_as_a_script_whose_help_ends_in_an_example():
    done = subprocess.run([sys.executable, str(TOOL), "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("--out ap.json")
