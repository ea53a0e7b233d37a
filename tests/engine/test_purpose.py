"""Weights are given only to a detector made for the same classes and the same space."""

from dataclasses import replace

import pytest
import torch

from kecor.detectors import build_detector, load_pretrained
from kecor.engine.checkpoints import load_checkpoint, read_checkpoint, save_checkpoint
from kecor.errors import CheckpointError
from tests.detectors.synthetic import SMALL, tiny_data

DATA = tiny_data()
OTHERS = {
    "classes": replace(DATA, classes=DATA.classes[::-1]),
    "point_cloud_range": replace(
        DATA, point_cloud_range=[v + 2 * (axis % 3 == 0) for axis, v in enumerate(DATA.point_cloud_range)]
    ),
}


def small(data):
    """The small detector for ``data``."""
    return build_detector(SMALL, data)


@pytest.mark.parametrize("load", [load_checkpoint, load_pretrained])
@pytest.mark.parametrize("key", OTHERS)
def test_weights_for_something_else_are_refused(tmp_path, load, key):
    save_checkpoint(small(DATA), tmp_path / "a.pth", {"seed": 1})
    other = small(OTHERS[key])
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load(other, tmp_path / "a.pth")
    was, now = getattr(DATA, key), getattr(OTHERS[key], key)
    assert f"a.pth: was trained for something else: {key}: trained for {was}, the config says {now}" in str(
        caught.value
    )
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


@pytest.mark.parametrize("load", [load_checkpoint, load_pretrained])
def test_the_same_purpose_and_no_purpose_are_accepted(tmp_path, load):
    source = small(DATA)
    save_checkpoint(source, tmp_path / "a.pth", {"seed": 1})
    meta = read_checkpoint(tmp_path / "a.pth")["meta"]
    assert meta["seed"] == 1
    assert meta["purpose"]["classes"] == DATA.classes
    assert meta["purpose"]["detector"] == "Second"
    load(small(DATA), tmp_path / "a.pth")
    torch.save({"state_dict": source.state_dict(), "meta": {}}, tmp_path / "old.pth")
    load(small(OTHERS["classes"]), tmp_path / "old.pth")


@pytest.mark.parametrize("load", [load_checkpoint, load_pretrained])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "is an HTML page"),
    ],
)
def test_what_is_often_found_in_place_of_a_checkpoint_is_named(tmp_path, load, content, message):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"a\.pth: {message}"):
        load(small(DATA), tmp_path / "a.pth")


@pytest.mark.parametrize("load", [load_checkpoint, load_pretrained])
@pytest.mark.parametrize("value", [torch.zeros(3).to_sparse(), [0.0], None])
def test_entries_that_are_no_dense_tensors_are_refused(tmp_path, load, value):
    detector = small(DATA)
    name = next(iter(detector.state_dict()))
    torch.save({"state_dict": {**detector.state_dict(), name: value}, "meta": {}}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"a\.pth: state_dict is not a mapping of names to tensors"):
        load(detector, tmp_path / "a.pth")
