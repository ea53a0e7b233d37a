"""The page on other detectors is run as printed, in a folder that looks like the repository's."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kecor.active.loop import run
from kecor.frame_sets.files import read_frames
from tests.active.tiny import tiny_config, write_tiny_set

ROOT = Path(__file__).parents[1]
SECTIONS = ("A 2D detector", "A run of ours", "Large pools")


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Run the code blocks of some of the page's sections one after another; the names the Python blocks define."""
    text = (ROOT / "docs" / "bring_your_own_detector.md").read_text()
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    parts = dict(zip(titles, re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]))
    assert [title for title in titles if "```" in parts[title]] == list(SECTIONS)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    monkeypatch.chdir(tmp_path)

    def work_through(*sections):
        names = {}
        for section in sections:
            for language, code in re.findall(r"```(\w+)\n(.*?)```", parts[section], re.DOTALL):
                if language == "python":
                    exec(code, names)
                else:
                    done = subprocess.run(["bash", "-ec", code], capture_output=True, text=True)
                    assert done.returncode == 0, done.stderr
        return names

    return work_through


def read(name):
    return json.loads(Path(name).read_text())


def test_a_2d_detectors_frames_are_chosen_from_files_in_and_out_of_memory(page):
    page("A 2D detector", "Large pools")
    chosen, large = read("selection.json"), read("large.json")
    assert set(chosen) == {"ids", "gains", "method", "predicted_boxes", "predicted_cost", "info", "terms"}
    assert len(set(chosen["ids"])) == len(set(large["ids"])) == 20
    assert chosen["info"]["proxy_loss_last"] < 0.5 * chosen["info"]["proxy_loss_mean"]
    memory, disk = read_frames("pool.npz"), read_frames("pool")
    np.testing.assert_allclose(memory.feats["roi_features"], disk.feats["roi_features"], rtol=1e-3, atol=1e-6)
    assert isinstance(disk.feats["roi_features"], np.memmap)
    for a, b in zip(memory.detections, disk.detections):
        np.testing.assert_array_equal(a.boxes, b.boxes)
        np.testing.assert_array_equal(a.logits, b.logits)


def test_a_finished_round_is_chosen_from_again(page, tmp_path):
    data = write_tiny_set(tmp_path / "data", n_train=8, n_val=2)
    quick = {"epochs": 1, "batch_size": 4, "lr": 0.01}
    active = {"initial": 3, "rounds": 2, "amount": 2.0}
    linear = {"type": "kecor", "kernel": "linear"}
    config = tiny_config(data, schedule=quick, active=active, acquisition=linear)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run(config, Path("work_dirs/demo"), progress=False, log=lambda message: None)
    torch.set_num_threads(threads)
    page("A run of ours")

    first = read("work_dirs/demo/round_00/selection.json")
    chosen = read("what_if.json")
    assert chosen["ids"] == first["ids"]  # the same method, settings and frames
    np.testing.assert_allclose(chosen["gains"], first["gains"], rtol=1e-6)
    bought = read("work_dirs/demo/al_state.json")["frames"]
    pool, labelled = (read_frames(f"work_dirs/demo/round_01/pool/{part}") for part in ("unlabelled", "labelled"))
    assert labelled.ids.tolist() == bought[0] + bought[1]
    assert set(pool.ids.tolist()).isdisjoint(labelled.ids.tolist())
    assert (len(pool), len(labelled)) == (3, 5)
    assert labelled.feats["targets"].shape == (5, 8, 9)
