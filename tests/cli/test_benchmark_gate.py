"""The gate of a study: which frames it trains on, and that a training is made once."""

import csv

import numpy as np
import pytest

from kecor.benchmarks.gate import draw
from kecor.datasets import build_dataset
from kecor.errors import DataError
from tests.active.tiny import tiny_config, write_config, write_tiny_set

COUNTS = np.array([5, 0, 9, 2, 7, 1, 3, 8, 4])


@pytest.mark.parametrize(
    ("group", "allowed"), [("sparse", {0, 1, 2}), ("dense", {7, 8, 9}), ("random", set(range(10)))]
)
def test_frames_are_drawn_from_their_third(group, allowed):
    drawn = [draw(group, COUNTS, 2, seed) for seed in range(30)]
    assert all(len(set(rows.tolist())) == 2 for rows in drawn)
    seen = {int(count) for rows in drawn for count in COUNTS[rows]}
    assert seen <= allowed
    assert seen == allowed & set(COUNTS.tolist())
    assert (draw(group, COUNTS, 2, 3) == draw(group, COUNTS, 2, 3)).all()


def test_too_few_frames_are_named():
    with pytest.raises(DataError, match="sparse: 3 labelled frames to draw 4 from"):
        draw("sparse", COUNTS, 4, 0)


def test_trainings_are_compared_kept_and_added_to(tmp_path, command):
    config = tiny_config(write_tiny_set(tmp_path / "set", 9, 2))
    path, work = write_config(tmp_path / "tiny.yaml", config), tmp_path / "gate"
    call = ["benchmark", "gate", path, "--frames", 2, "--work-dir", work, "--set", "schedule.epochs=1"]
    call += ["schedule.iterations=2", "--seeds"]
    code, out, _ = command(*call, 0)
    assert code == 0
    assert "seeds: 1\n" in out
    first = {p: p.read_bytes() for p in work.glob("*/seed_*/checkpoint.pth")}
    assert sorted(p.parent.parent.name for p in first) == ["dense", "random", "sparse"]
    code, out, _ = command(*call, 0, 1)
    assert code == 0
    assert all(p.read_bytes() == data for p, data in first.items())
    with (work / "gate.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["group"], row["seed"]) for row in rows] == [
        (g, s) for s in "01" for g in ("sparse", "random", "dense")
    ]
    dataset = build_dataset(config.data, "train")
    counts = sorted(len(dataset.read_labels(frame_id)[0]) for frame_id in dataset.ids)
    for row in rows:
        low, high = {"sparse": (0, 3), "random": (0, 9), "dense": (6, 9)}[row["group"]]
        assert sum(counts[low : low + 2]) <= int(row["boxes"]) <= sum(counts[high - 2 : high])
    code, _, err = command(*call[:-3], "schedule.epochs=1", "schedule.iterations=3", "--seeds", 0)
    assert (code, err.count("\n")) == (2, 1)
    assert "schedule.iterations: was 2, is 3" in err
