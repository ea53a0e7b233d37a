from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from kecor.files import read_json
from tests.shared import shared_data

ROOT = Path(__file__).parents[2]
CONFIG = """
_base_: {root}/configs/kitti/second_small.yaml
data:
  root: {data}
  point_cloud_range: [0, -20.48, -3, 40.96, 20.48, 1]
  voxels: {{size: [0.32, 0.32, 0.1], max_points: 5, max_train: 16000, max_test: 40000}}
detector:
  backbone_3d: {{channels: [4, 4, 8, 8, 8], out_channels: 8}}
  backbone_2d: {{layers: [1, 1], filters: [8, 16], up_filters: [8, 8]}}
schedule: {{epochs: 2, batch_size: 2, amp: none}}
"""


def run_tool(name: str, *arguments: object) -> int:
    """Run a command in this process and return its exit code."""
    old, sys.argv = sys.argv, [f"{name}.py", *map(str, arguments)]
    try:
        return importlib.import_module(f"kecor.cli.{name}").main()
    finally:
        sys.argv = old


@pytest.fixture
def config(tmp_path):
    """A tiny detector on three training and two validation frames."""
    source = shared_data("kitti_mini")
    data = tmp_path / "data"
    (data / "ImageSets").mkdir(parents=True)
    (data / "training").symlink_to(source / "training")
    for split, n in (("train", 3), ("val", 2)):
        ids = (source / "ImageSets" / f"{split}.txt").read_text().split()[:n]
        (data / "ImageSets" / f"{split}.txt").write_text("\n".join(ids) + "\n")
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG.format(root=ROOT, data=data))
    return path


def test_train_resume_and_test(config, tmp_path, capsys):
    work = tmp_path / "work"
    assert run_tool("train", config, "--work-dir", work, "--device", "cpu") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("AP at strict overlaps")
    assert f"weights: {work / 'checkpoint.pth'}" in shown
    names = ["checkpoint.pth", "config.yaml", "metrics.json", "tensorboard", "train.log"]
    assert sorted(path.name for path in work.iterdir() if path.name != ".lock") == names
    metrics = read_json(work / "metrics.json")
    assert set(metrics) == {"strict", "loose", "counts"}

    assert run_tool("train", config, "--work-dir", work, "--device", "cpu") == 2
    assert "--resume" in capsys.readouterr().err
    weights = (work / "checkpoint.pth").read_bytes()
    assert run_tool("train", config, "--work-dir", work, "--device", "cpu", "--resume") == 0
    assert (work / "checkpoint.pth").read_bytes() == weights
    assert read_json(work / "metrics.json") == metrics

    other = tmp_path / "other"
    checkpoint = work / "checkpoint.pth"
    assert run_tool("test", work / "config.yaml", checkpoint, "--work-dir", other, "--device", "cpu") == 0
    assert read_json(other / "metrics.json") == metrics
    assert len(list((other / "results").glob("*.txt"))) == 2

    assert run_tool("test", config, checkpoint, "--split", "train", "--work-dir", other, "--device", "cpu") == 2
    assert "results of other frames" in capsys.readouterr().err


def test_pretrained_weights_are_where_training_starts(config, tmp_path, capsys):
    first = tmp_path / "first"
    assert run_tool("train", config, "--work-dir", first, "--device", "cpu") == 0
    still = ["--cfg-options", "schedule.epochs=1", "schedule.lr=1e-30"]
    start = ["--pretrained", first / "checkpoint.pth", "--device", "cpu"]
    assert run_tool("train", config, "--work-dir", tmp_path / "second", *start, *still) == 0
    from kecor.engine.checkpoints import read_checkpoint

    a, b = (read_checkpoint(tmp_path / name / "checkpoint.pth")["state_dict"] for name in ("first", "second"))
    name = "dense_head.conv_cls.weight"
    assert (a[name] == b[name]).all()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("data.voxels.max_points=4", "data.voxels.max_points: was 5, is 4"),
        ("detector.norm_momentum=0.2", "detector.norm_momentum: was "),
        ("schedule.lr=0.5", "schedule.lr: was "),
        ("seed=7", "seed: was 0, is 7"),
    ],
)
def test_a_training_does_not_go_on_with_another_config(config, tmp_path, capsys, monkeypatch, option, words):
    from kecor.engine import jobs

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "train", stopped)
    work = tmp_path / "work"
    assert run_tool("train", config, "--work-dir", work, "--device", "cpu") == 130
    capsys.readouterr()
    assert run_tool("train", config, "--work-dir", work, "--device", "cpu", "--resume", "--set", option) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {work / 'config.yaml'}: the config has changed since the training began: {words}")
    free = ["data.workers=1", "evaluation.type=kitti", "active.rounds=9"]
    assert run_tool("train", config, "--work-dir", work, "--device", "cpu", "--resume", "--set", *free) == 130


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("train", ["missing.yaml"], "missing.yaml: no such config file"),
        ("train", ["CONFIG", "--cfg-options", "schedule.epoch=3"], "did you mean 'epochs'"),
        ("train", ["CONFIG", "--pretrained", "missing.pth"], "missing.pth"),
        ("train", ["CONFIG", "--launcher", "pytorch"], "torchrun"),
        ("test", ["CONFIG", "missing.pth"], "missing.pth"),
        ("test", ["CONFIG", "missing.pth", "--split", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(config, tmp_path, capsys, monkeypatch, tool, arguments, message):
    monkeypatch.delenv("RANK", raising=False)
    given = [config if word == "CONFIG" else word for word in arguments]
    assert run_tool(tool, *given, "--work-dir", tmp_path / "work", "--device", "cpu") == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert message in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize("tool", ["train", "test"])
def test_help_ends_in_an_example(tool, capsys):
    with pytest.raises(SystemExit):
        run_tool(tool, "--help")
    assert f"python tools/{tool}.py configs/" in capsys.readouterr().out.splitlines()[-1]
