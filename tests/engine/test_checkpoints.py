from __future__ import annotations

import pickle

import pytest
import torch

from kecor.engine.checkpoints import load_checkpoint, save_checkpoint
from kecor.errors import CheckpointError
from tests.engine.fakes import FakeDetector, same_weights, weights


def test_round_trip_keeps_every_bit_and_the_facts(tmp_path):
    detector = FakeDetector(seed=1)
    save_checkpoint(detector, tmp_path / "a.pth", {"epoch": 3, "losses": [0.5]})
    other = FakeDetector(seed=2)
    assert not same_weights(weights(detector), weights(other))
    assert load_checkpoint(other, tmp_path / "a.pth") == {"epoch": 3, "losses": [0.5]}
    assert same_weights(weights(detector), weights(other))


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"a\.pth: no such checkpoint"):
        load_checkpoint(FakeDetector(), tmp_path / "a.pth")
    save_checkpoint(FakeDetector(), tmp_path / "a.pth")
    whole = (tmp_path / "a.pth").read_bytes()
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.pth").write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"a\.pth: cannot be read"):
            load_checkpoint(FakeDetector(), tmp_path / "a.pth")


def test_what_does_not_fit_is_listed_and_nothing_is_loaded(tmp_path):
    source = FakeDetector()
    source.box[1] = torch.nn.Linear(16, 8)
    source.extra = torch.nn.Linear(1, 1)
    del source.point[1]
    save_checkpoint(source, tmp_path / "a.pth")
    target = FakeDetector(seed=5)
    before = weights(target)
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(target, tmp_path / "a.pth")
    message = str(error.value)
    assert "missing: point.1.weight" in message
    assert "unexpected: extra.weight" in message
    assert "shape of box.1.weight: got [8, 16], expected [7, 16]" in message
    assert same_weights(before, weights(target))


def test_a_checkpoint_of_another_make(tmp_path):
    torch.save({"model_state": {}}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="not written by kecor"):
        load_checkpoint(FakeDetector(), tmp_path / "a.pth")


class Attack:
    ran = False

    def __reduce__(self):
        return setattr, (Attack, "ran", True)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch.save({"state_dict": Attack(), "meta": {}}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(FakeDetector(), tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(FakeDetector(), tmp_path / "b.pth")
    assert not Attack.ran
