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
        (lambda f: (f / "gt" / "000008.txt").unlink(), "frame 000008: no label file"),
        (lambda f: (f / "det" / "000003.txt").write_text(f"{CAR} 0.5\n{CAR}\n"), "000003.txt:2: 15 fields"),
        (lambda f: (f / "gt" / "000004.txt").write_text(CAR.replace("3.90", "x")), "000004.txt:1: could not convert"),
        (lambda f: (f / "ids.txt").write_text("000001\n000001\n"), "ids.txt: 000001 stands more than once"),
        (lambda f: (f / "ids.txt").write_text("\n"), "ids.txt: holds no frame id"),
        (lambda f: (f / "ids.txt").unlink(), "ids.txt: cannot be read"),
        (lambda f: shutil.rmtree(f / "gt"), "gt: no such folder"),
        (lambda f: (f / "ids.txt").write_text("000097\n000098\n"), "det: holds no result file"),
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


@pytest.mark.parametrize("listed", [True, False])
def test_frames_without_a_result_file_count_as_empty_with_a_warning(run, folders, listed):
    (folders / "ids.txt").write_text("".join(f"{i:06d}\n" for i in range(50)))
    for i in range(10, 50, 2):
        (folders / "det" / f"{i:06d}.txt").unlink()
    more = ("--ids", folders / "ids.txt") if listed else ()
    code, output, errors = run(*arguments(folders, "--classes", "Car", *more))
    assert code == 0
    assert "50 frames" in output
    (warning,) = [line for line in errors.splitlines() if "warning: " in line]
    assert "20 of 50 frames have no result file" in warning
    assert warning.endswith("the first is 000010")
    # 30 of 50 objects are found, all with precision 1: 24 of the 40 recalls beyond 0 are reached
    result = json.loads((folders / "ap.json").read_text())
    assert result["Car"]["3d"]["R40"] == pytest.approx([100 * 24 / 40] * 3, abs=2.5)


def test_frames_in_subfolders_are_found(run, folders):
    for side in ("gt", "det"):
        (folders / side / "seq").mkdir()
        for path in (folders / side).glob("*.txt"):
            path.rename(folders / side / "seq" / path.name)
    code, output, errors = run(*arguments(folders, "--classes", "Car"))
    assert (code, "50 frames" in output) == (0, True)
    assert "warning" not in errors


def test_labels_without_2d_boxes_are_evaluated_in_bev_and_3d(run, tmp_path):
    root = shared_data("bad_inputs", "eval_no_2d_boxes")
    code, output, errors = run("--gt-dir", root / "gt", "--det-dir", root / "det", "--out", tmp_path / "ap.json")
    assert code == 0
    assert errors.count("warning: ") == 1
    assert "warning: no label has a 2D box" in errors
    frames = len(list((root / "gt").iterdir()))
    lines = [line.split() for line in output.splitlines()]
    for name in ("Car", "Pedestrian", "Cyclist"):
        assert [name, "labels", *[str(frames)] * 3] in lines
        assert [name, "detections", *[str(frames)] * 3] in lines
    for result in json.loads((tmp_path / "ap.json").read_text()).values():
        for metric in ("bev", "3d"):  # with three objects the official sampling reaches the recalls 0, 1/40 and 2/40
            assert result[metric] == {"R11": [pytest.approx(100 / 11)] * 3, "R40": [pytest.approx(5)] * 3}
        for metric in ("bbox", "aos"):
            assert result[metric] == {"R11": [None] * 3, "R40": [None] * 3}


def test_a_class_outside_the_benchmark(run, tmp_path):
    root, out = shared_data("bad_inputs", "eval_own_class"), tmp_path / "ap.json"
    folders = ("--gt-dir", root / "gt", "--det-dir", root / "det", "--out", out)
    code, _, errors = run(*folders, "--classes", "Truck", "Pedestrian")
    assert code == 0
    assert "warning" not in errors
    result = json.loads(out.read_text())
    assert list(result) == ["Truck", "Pedestrian"]
    assert result["Truck"]["3d"]["R40"] == [pytest.approx(5)] * 3
    code, _, errors = run(*folders)
    assert code == 0
    assert "warning: no label is of class Car; there are: Cyclist," in errors
    assert json.loads(out.read_text())["Car"]["3d"]["R40"] == [None] * 3


def test_the_overlap_of_a_class_can_be_chosen(run, folders):
    """Moved by 0.5 m along its length of 3.9 m a box overlaps the true one by (3.9 - 0.5) / (3.9 + 0.5) = 0.77."""
    for path in [*(folders / "gt").iterdir(), *(folders / "det").iterdir()]:
        path.write_text(path.read_text().replace("Car", "Truck"))
    for path in (folders / "det").iterdir():
        path.write_text(path.read_text().replace(" 0.00 1.70 20.00 ", " 0.50 1.70 20.00 "))
    for overlap, expected in ((0.77, 100), (0.78, 0)):
        assert run(*arguments(folders, "--classes", "Truck", "--overlap", f"Truck={overlap}"))[0] == 0
        ap = json.loads((folders / "ap.json").read_text())["Truck"]["3d"]["R40"]
        assert ap == pytest.approx([expected] * 3)


@pytest.mark.parametrize("text", ["Truck", "Truck=x", "Van=0.5", "Truck=1", "Truck=-0.1", "Truck=nan"])
def test_an_invalid_overlap_is_an_error(run, folders, text):
    code, _, errors = run(*arguments(folders, "--classes", "Truck", "--overlap", text))
    assert code == 2
    assert f"error: --overlap {text}: expected CLASS=IOU" in errors


def test_runs_as_a_script_whose_help_ends_in_an_example():
    done = subprocess.run([sys.executable, str(TOOL), "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("--out ap.json")
