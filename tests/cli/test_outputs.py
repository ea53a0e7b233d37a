"""An output that cannot be written is found before a command does any work."""

import os

import pytest

COMMANDS = {
    "eval_kitti": ["--gt-dir", "gone", "--det-dir", "gone"],
    "eval_nuscenes": ["--root", "gone", "--version", "v1.0-mini", "--split", "mini_val", "--results", "gone"],
    "eval_waymo": ["--arrays", "gone.npz"],
    "select": ["--pool", "gone.npz", "--labelled", "gone.npz", "--method", "random", "--budget", "1"],
    "visualize": ["frame", "--root", "gone", "--id", "a"],
    "label": ["check", "labelcloud", "gone"],
    "create_data": ["kitti", "--root", "gone"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_that_cannot_be_written_is_named_first(command, tmp_path, name):
    (tmp_path / "file").write_text("")
    for out, words in ((tmp_path, "it is a folder"), (tmp_path / "file" / "deep" / "out", "is a file, not a folder")):
        code, _, err = command(name, *COMMANDS[name], "--out", out)
        assert code == 2
        assert err.startswith(f"error: {out}: cannot be written: ")
        assert words in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", COMMANDS)
def test_missing_folders_are_no_fault(command, tmp_path, name):
    code, _, err = command(name, *COMMANDS[name], "--out", tmp_path / "new" / "out")
    assert code != 0
    assert "gone" in err, "the next fault is the input, which is not there"


@pytest.mark.parametrize("name", COMMANDS)
def test_devices_and_pipes_are_not_replaced_by_files(command, tmp_path, name):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    for out in (pipe, link):
        code, _, err = command(name, *COMMANDS[name], "--out", out)
        assert (code, err) == (2, f"error: {out}: cannot be written: it is a device or a pipe; name a file\n")
    assert pipe.is_fifo()
    assert link.is_symlink()


def test_a_folder_of_labels_that_cannot_be_written_is_named_first(command, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "deep"):
        code, _, err = command("label", "import", "labelcloud", "gone", "--out", out)
        assert code == 2
        assert "cannot be written: " in err
        assert f"{tmp_path / 'file'} is a file, not a folder" in err
