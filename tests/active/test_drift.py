"""How far the kernel moved since the round before, told in a round's selection.json."""

from __future__ import annotations

import json

import pytest

from kecor.active import stages
from kecor.active.loop import run
from kecor.ntk.diagnostics import kernel_drift
from tests.active.tiny import tiny_config, write_tiny_set

KECOR = {"type": "kecor", "kernel": {"steps": 5, "require_convergence": False}}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    data = write_tiny_set(tmp_path_factory.mktemp("data") / "set", n_train=12, n_val=2)
    return tiny_config(data, schedule={"epochs": 1, "batch_size": 4, "lr": 0.01}, acquisition=KECOR)


def make_run(config, folder, **settings):
    return run(config, folder, progress=False, log=lambda message: None, **settings)


def selections(folder):
    return [json.loads((folder / f"round_0{k}" / "selection.json").read_text()) for k in (0, 1)]


def test_the_second_round_tells_the_drift_since_the_first_also_when_it_is_chosen_anew(config, tmp_path, monkeypatch):
    make_run(config, tmp_path / "whole")
    first, second = (record["info"]["diagnostics"] for record in selections(tmp_path / "whole"))
    assert "drift" not in first
    assert second["drift"] == kernel_drift(first, second)
    assert 0 < second["drift"] <= 1
    assert second["probe"]["ids"][:4] == first["probe"]["ids"]

    def killed_in_round_1(al):
        following = stages._select(al)
        if al.state.round == 1:
            raise KeyboardInterrupt
        return following

    with monkeypatch.context() as patch:
        patch.setitem(stages.STAGE_FUNCTIONS, "select", killed_in_round_1)
        with pytest.raises(KeyboardInterrupt):
            make_run(config, tmp_path / "killed")
    assert selections(tmp_path / "killed")[1]["info"]["diagnostics"]["drift"] == second["drift"]
    make_run(config, tmp_path / "killed", resume=True)
    for k in (0, 1):
        whole, killed = (tmp_path / name / f"round_0{k}" / "selection.json" for name in ("whole", "killed"))
        assert killed.read_bytes() == whole.read_bytes()
    assert (tmp_path / "killed" / "kernel.png").is_file()


@pytest.mark.parametrize("removed", ["diagnostics", "probe"])
def test_a_round_before_without_a_probe_leaves_it_out(config, tmp_path, monkeypatch, removed):
    label = stages._label

    def forgetting(al):
        following, path = label(al), al.work_dir / "round_00" / "selection.json"
        record = json.loads(path.read_text())
        info = record["info"]
        (info if removed == "diagnostics" else info.get("diagnostics", {})).pop(removed, None)
        path.write_text(json.dumps(record))
        return following

    monkeypatch.setitem(stages.STAGE_FUNCTIONS, "label", forgetting)
    make_run(config, tmp_path)
    first, second = (record["info"] for record in selections(tmp_path))
    assert removed not in (first if removed == "diagnostics" else first["diagnostics"])
    assert "drift" not in second["diagnostics"]
