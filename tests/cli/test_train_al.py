import json
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.active.tiny import tiny_config, write_config, write_tiny_set

TOOL = Path(__file__).parents[2] / "tools" / "train_al.py"


@pytest.fixture
def tool(command):
    return partial(command, "train_al")


@pytest.fixture
def config(tmp_path):
    data = write_tiny_set(tmp_path / "data", n_train=6, n_val=2)
    schedule = {"epochs": 1, "batch_size": 4}
    active = {"initial": 3, "rounds": 1, "amount": 2.0}
    values = tiny_config(data, schedule=schedule, active=active, acquisition={"type": "random"})
    return write_config(tmp_path / "tiny.yaml", values)


def test_a_run_ends_with_a_table_and_where_the_results_are_and_is_not_begun_twice(tool, config, tmp_path):
    work = tmp_path / "work"
    code, out, err = tool(config, "--work-dir", work, "--device", "cpu", "--cfg-options", "seed=3")
    assert (code, "error" in err) == (0, False)
    lines = out.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("round  frames  boxes  Car 3D"))
    assert [line.split()[:2] for line in lines[header + 2 : header + 4]] == [["0", "3"], ["1", "5"]]
    assert lines[-3:] == [str(work / name) for name in ("summary.csv", "curve.png", "report.html")]
    assert all(Path(line).is_file() for line in lines[-3:])
    assert json.loads((work / "al_state.json").read_text())["seed"] == 3
    assert "round 0: train done" in (work / "train_al.log").read_text()

    code, _, err = tool(config, "--work-dir", work, "--cfg-options", "seed=3")
    assert code == 2
    assert err.startswith(f"error: {work / 'al_state.json'}: a run was begun here")
    assert "--resume" in err
    assert "stopped: StateError" in (work / "train_al.log").read_text()

    code, _, err = tool(config, "--work-dir", work, "--resume", "--cfg-options", "seed=4")
    assert code == 2
    assert "seed: was 3, is 4" in err

    code, out, _ = tool(config, "--work-dir", work, "--resume", "--cfg-options", "seed=3")
    assert code == 0
    assert "resuming at round 1, done" in out
    assert out.splitlines()[-1] == str(work / "report.html")


def test_weights_to_start_from_are_taken_and_checked(tool, config, tmp_path):
    tool(config, "--work-dir", tmp_path / "first", "--cfg-options", "active.rounds=0")
    weights = tmp_path / "first" / "round_00" / "checkpoint.pth"
    tool(config, "--work-dir", tmp_path / "second", "--pretrained", weights, "--cfg-options", "active.rounds=0")
    trained, initial = (
        torch.load(path, weights_only=True)["state_dict"] for path in (weights, tmp_path / "second" / "initial.pth")
    )
    assert all(torch.equal(trained[name], initial[name]) for name in trained if name != "global_step")
    code, _, err = tool(config, "--work-dir", tmp_path / "third", "--pretrained", tmp_path / "none.pth")
    assert code == 2
    assert "none.pth" in err
    assert not (tmp_path / "third" / "al_state.json").exists()


def test_wrong_input_is_one_line(tool, config, tmp_path):
    code, out, err = tool(tmp_path / "nowhere.yaml")
    assert (code, out, err) == (2, "", f"error: {tmp_path / 'nowhere.yaml'}: no such config file\n")
    code, _, err = tool(config, "--work-dir", config)
    assert code == 2
    assert err.startswith(f"error: --work-dir {config}: cannot be written")


def test_help_ends_with_an_example(tool, capsys):
    with pytest.raises(SystemExit) as stopped:
        tool("--help")
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert text.rstrip().splitlines()[-2].strip().startswith("python tools/train_al.py")
