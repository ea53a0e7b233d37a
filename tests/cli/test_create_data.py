import os
import sys
from pathlib import Path

import pytest

from kecor.cli.create_data import main
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.files import read_json
from kecor.lock import LOCK, locked
from tests.datasets.small_set import write_set

TOOL = Path(__file__).parents[2] / "tools" / "create_data.py"


@pytest.fixture
def tool(monkeypatch):
    """Runs the command with some arguments in this process; returns its exit code."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["create_data.py", *map(str, arguments)])
        return main()

    return run


def test_a_sound_set_gets_an_index(tmp_path, tool, capsys):
    root = write_set(tmp_path / "set")
    assert tool("kitti", "--root", root) == 0
    out = capsys.readouterr().out
    assert "warning" not in out
    assert "4 of 4 frames can be used; no fault found" in out
    assert sorted(read_json(root / "kecor_index.json")["frames"]) == ["a0", "a1", "a2", "b0"]


def test_faults_are_warnings_that_say_what_was_done(tmp_path, tool, capsys):
    root = write_set(tmp_path / "set")
    path = root / "training" / "velodyne" / "a1.bin"
    path.write_bytes(path.read_bytes()[:-1])
    assert tool("kitti", "--root", root) == 0
    out = capsys.readouterr().out
    (warning,) = [line for line in out.splitlines() if line.startswith("warning")]
    assert str(path) in warning
    assert warning.endswith("frame excluded")
    assert "3 of 4 frames can be used; frame excluded 1x" in out
    with pytest.warns(UserWarning, match="1 of 3 frames"):
        assert KittiDataset(root, "train", ["Car"]).ids == ["a0", "a2"]


def test_the_index_goes_where_it_is_asked_to(tmp_path, tool):
    root = write_set(tmp_path / "set")
    assert tool("kitti", "--root", root, "--out", tmp_path / "deep" / "index.json") == 0
    assert (tmp_path / "deep" / "index.json").exists()
    assert not (root / "kecor_index.json").exists()


def test_no_usable_frame_is_exit_code_1(tmp_path, tool):
    root = write_set(tmp_path / "set", train=("a0",), val=())
    (root / "training" / "calib" / "a0.txt").write_text("")
    assert tool("kitti", "--root", root) == 1


def test_a_missing_root_is_one_line_and_exit_code_2(tmp_path, tool, capsys):
    assert tool("kitti", "--root", tmp_path / "nowhere") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", [(), ("kitti",), ("waymo",), ("custom",), ("simulated",)])
def test_help_ends_in_an_example(tool, capsys, command):
    with pytest.raises(SystemExit):
        tool(*command, "--help")
    assert "python tools/create_data.py" in capsys.readouterr().out.strip().splitlines()[-1]


def test_simulated_frames_are_a_data_set(tmp_path, tool, capsys):
    assert tool("simulated", "--out", tmp_path / "sim", "--frames", "4", "--seed", "1") == 0
    out = capsys.readouterr().out
    assert out.strip().endswith(f"data set: {tmp_path / 'sim'}")
    train = KittiDataset(tmp_path / "sim", "train", ["Car", "Pedestrian", "Cyclist"])
    val = KittiDataset(tmp_path / "sim", "val", ["Car", "Pedestrian", "Cyclist"])
    assert (len(train), len(val)) == (3, 1)
    frame = train.read(train.ids[0])
    assert len(frame.points) > 1000


@pytest.mark.parametrize("part", [["simulated", "--frames", 1], ["waymo", "--raw", "raw"]])
def test_a_folder_that_another_process_writes_is_refused(tool, tmp_path, capsys, part):
    (tmp_path / "raw").mkdir()
    words = [tmp_path / word if word == "raw" else word for word in part]
    with locked(tmp_path / "out"):
        assert tool(*words, "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{tmp_path / 'out'}: in use by process {os.getpid()} on " in error
    assert [path.name for path in (tmp_path / "out").iterdir()] == [LOCK]
