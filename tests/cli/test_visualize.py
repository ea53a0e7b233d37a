from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from kecor.datasets.kitti.calibration import Calibration, format_calibration
from tests.shared import shared_data
from tests.visualization.fake_run import CLASSES, fake_frame, write_run

TOOL = Path(__file__).parents[2] / "tools" / "visualize.py"
LABEL = "Car 0.00 0 0.1 300 150 400 220 1.5 1.7 4.0 2.0 1.6 20.0 -1.4"


@pytest.fixture
def tool(command):
    return partial(command, "visualize")


@pytest.fixture
def root(tmp_path):
    """A data set with one frame, 000042, and one car."""
    root = tmp_path / "data"
    for folder in ("ImageSets", "training/velodyne", "training/label_2", "training/calib"):
        (root / folder).mkdir(parents=True)
    (root / "ImageSets/train.txt").write_text("000042\n")
    fake_frame()[0].points.tofile(root / "training/velodyne/000042.bin")
    (root / "training/label_2/000042.txt").write_text(LABEL + "\n")
    p2 = np.array([[720.0, 0, 610, 0], [0, 720, 175, 0], [0, 0, 1, 0]])
    v2c = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]])
    calib = Calibration(p2, np.eye(3), v2c)
    (root / "training/calib/000042.txt").write_text(format_calibration(calib))
    return root


def test_frame_draws_labels_and_detections(tool, root, tmp_path):
    result = tmp_path / "000042.txt"
    result.write_text(LABEL + " 0.8\n" + LABEL.replace("Car", "Tram") + " 0.9\n")
    out = tmp_path / "pictures" / "frame.png"
    code, stdout, _ = tool("frame", "--root", root, "--id", "000042", "--detections", result, "--out", out)
    assert (code, stdout.strip()) == (0, str(out))
    assert imread(out)[..., :3].std() > 0.02


def test_report_rewrites_the_page_and_the_curve(tool, tmp_path):
    folder = write_run(tmp_path / "run", n_rounds=2)
    code, stdout, _ = tool("report", "--work-dir", folder)
    assert (code, stdout.strip()) == (0, str(folder / "report.html"))
    assert (folder / "curve.png").is_file()


def test_invalid_input_gives_one_line_and_code_2(tool, root, tmp_path):
    bad = tmp_path / "bad.txt"
    bad.write_text(LABEL + "\n")
    out = tmp_path / "frame.png"
    cases = [
        (["report", "--work-dir", tmp_path / "none"], "summary.csv"),
        (["frame", "--root", root, "--id", "000043", "--out", out], "000043"),
        (["frame", "--root", root, "--id", "../x", "--out", out], "--id: '../x' is no frame id"),
        (["frame", "--root", root, "--id", "000042", "--detections", bad, "--out", out], "bad.txt:1"),
    ]
    for args, text in cases:
        code, _, stderr = tool(*args)
        assert code == 2
        assert stderr.startswith("error: ")
        assert len(stderr.splitlines()) == 1
        assert text in stderr
    assert not out.exists()


@pytest.mark.parametrize("subcommand", [[], ["frame"], ["report"]])
def test_help_ends_in_an_example(tool, capsys, subcommand):
    with pytest.raises(SystemExit, match="0"):
        tool(*subcommand, "--help")
    assert "tools/visualize.py report --work-dir" in capsys.readouterr().out.splitlines()[-1]


def test_a_real_frame_with_its_own_labels_as_detections(tool, tmp_path):
    data = shared_data("kitti_mini")
    result = tmp_path / "000010.txt"
    labels = (data / "training/label_2/000010.txt").read_text().splitlines()
    result.write_text("".join(f"{line} {3.5 - i}\n" for i, line in enumerate(labels) if line.split()[0] in CLASSES))
    out = tmp_path / "frame.png"
    code, _, _ = tool("frame", "--root", data, "--split", "val", "--id", "000010", "--detections", result, "--out", out)
    assert code == 0
    assert imread(out)[..., :3].std() > 0.02
