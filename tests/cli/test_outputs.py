"""An output that cannot be written is found before a command does any work."""

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
