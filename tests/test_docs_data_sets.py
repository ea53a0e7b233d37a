"""The commands of docs/data_sets.md, run as printed on simulated files, with tiny numbers set on top."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from kecor.datasets.custom import CustomDataset
from kecor.files import read_json

PAGE = (Path(__file__).parents[1] / "docs" / "data_sets.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
TINY = {
    "active.initial": 1, "active.rounds": 1, "active.amount": 1, "active.n_rois": 8,
    "schedule.epochs": 1, "schedule.batch_size": 1,
    "detector.backbone_3d.channels": "[4,4,4,4,4]", "detector.backbone_3d.out_channels": 4,
    "detector.backbone_2d.layers": "[1,1]", "detector.backbone_2d.filters": "[8,8]",
    "detector.backbone_2d.up_filters": "[8,8]", "detector.post_processing.post_nms": 8,
}  # fmt: skip
LOW = {"kitti": -3, "waymo": -2, "nuscenes": -5, "custom": -3}
HIGH = {"kitti": 1, "waymo": 4, "nuscenes": 3, "custom": 1}


def blocks(section, language):
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


def run_section(section, command, layout):
    """Run the section's commands in the present folder; gives the outputs."""
    outputs = []
    for line in "".join(blocks(section, "bash")).splitlines():
        program, script, *arguments = shlex.split(line)
        assert (program, Path(script).parent.name) == ("python", "tools")
        name = Path(script).stem
        if name == "train_al":
            low, high = LOW[layout], HIGH[layout]
            volume = {"data.point_cloud_range": f"[-12.8,-12.8,{low},12.8,12.8,{high}]"}
            tiny = {**TINY, **volume, "data.voxels.size": f"[0.4,0.4,{(high - low) / 40}]"}
            arguments += ["--device", "cpu", "--set", *(f"{key}={value}" for key, value in tiny.items())]
        code, out, err = command(name, *arguments)
        assert (code, "Traceback" in err) == (0, False), err
        outputs.append(out)
    return outputs


def finished(folder):
    """Whether a run bought frames and measured both rounds."""
    rows = (Path("work_dirs") / folder / "summary.csv").read_text().splitlines()
    state = read_json(Path("work_dirs") / folder / "al_state.json")
    return len(rows) == 3 and [len(ids) for ids in state["frames"]] == [1, 1] and state["stage"] == "done"


@pytest.fixture
def simulate(tmp_path, monkeypatch, command):
    """``simulate(layout, folder, *more)`` in an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def make(layout, folder, *more):
        arguments = ("--out", folder, "--frames", 6, "--layout", layout, "--drive", 2, *more)
        assert command("create_data", "simulated", *arguments)[0] == 0

    return make


def test_kitti(simulate, command):
    simulate("kitti", "data/kitti")
    checked, trained = run_section("KITTI", command, "kitti")
    assert "6 of 6 frames can be used" in checked
    assert "\n1 labelled frames, " in trained
    assert finished("kitti")


def test_waymo(simulate, command):
    simulate("waymo", "simulated")
    shutil.move("simulated/raw", "data/waymo_raw")
    converted, _ = run_section("Waymo", command, "waymo")
    assert "3 segments converted: 3 frames" in converted, "of two frames a segment, one is kept"
    assert finished("waymo")


def test_nuscenes(simulate, command):
    pytest.importorskip("nuscenes")
    simulate("nuscenes", "data/nuscenes", "--sweeps", 2)
    shutil.move("data/nuscenes/v1.0-simulated", "data/nuscenes/v1.0-trainval")
    checked, _ = run_section("nuScenes", command, "nuscenes")
    assert "train: 4 key frames" in checked
    assert finished("nuscenes")


def test_own_sweeps_and_a_class_of_ones_own(simulate, command, monkeypatch):
    simulate("custom", "data/my_sweeps")
    Path("data/my_sweeps/ImageSets/train.txt").unlink()
    measured, _ = run_section("Your own sweeps", command, "custom")
    assert "config: data/my_sweeps/kecor_custom.yaml" in measured
    assert finished("my_sweeps")
    _write_scans(Path("data/my_scans"))
    (code,), (config,) = (blocks("A data set class of your own", language) for language in ("python", "yaml"))
    Path("my_scans.py").write_text(code)
    Path("my_scans.yaml").write_text(config)
    monkeypatch.syspath_prepend(Path.cwd())
    run_section("A data set class of your own", command, "custom")
    assert finished("my_scans")


def _write_scans(root):
    """The simulated sweeps in the form of the page's class."""
    root.mkdir(parents=True)
    names = ["Car", "Pedestrian", "Cyclist"]
    for split in ("train", "val"):
        dataset = CustomDataset("data/my_sweeps", split, names)
        labelled = [frame_id for frame_id in dataset.ids if dataset.is_labelled(frame_id)]
        for frame_id in labelled:
            frame = dataset.read(frame_id)
            np.savez(root / frame_id.replace("/", "_"), points=frame.points, boxes=frame.boxes, names=frame.names)
        (root / f"{split}.txt").write_text("".join(f"{i.replace('/', '_')}\n" for i in labelled))


def test_simulated_data(simulate, command):
    (out,) = run_section("Simulated data", command, None)
    assert out.strip().endswith("data set: data/simulated")


def test_every_command_of_the_page_is_run():
    sections = {name for name in SECTIONS if blocks(name, "bash")}
    tested = {"KITTI", "Waymo", "nuScenes", "Your own sweeps", "A data set class of your own", "Simulated data"}
    assert sections == tested
