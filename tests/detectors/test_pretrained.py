import datetime
import re

import pytest
import torch

from kecor.detectors import build_detector, load_pretrained
from kecor.errors import CheckpointError
from tests.detectors.synthetic import PV_RCNN, SECOND_IOU, SMALL, tiny_data

ALL = pytest.mark.parametrize(
    ("source", "target"), [(s, s) for s in (SMALL, SECOND_IOU, PV_RCNN)], ids=lambda s: s["type"], indirect=True
)


@pytest.fixture(scope="module")
def source(request):
    return build_detector(getattr(request, "param", SMALL), tiny_data(), seed=1)


@pytest.fixture
def target(request):
    return build_detector(getattr(request, "param", SMALL), tiny_data(), seed=2)


def equal(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


@ALL
@pytest.mark.parametrize("key", ["model_state", "state_dict"])
def test_a_checkpoint_comes_back(source, target, tmp_path, key):
    assert not equal(source, target)
    torch.save({key: source.state_dict(), "epoch": 80, "version": "x"}, tmp_path / "c.pth")
    load_pretrained(target, tmp_path / "c.pth")
    assert equal(source, target)


@ALL
def test_the_layout_of_spconv_1_is_recognised(source, target, tmp_path):
    old = {k: v.permute(1, 2, 3, 4, 0).contiguous() if v.ndim == 5 else v for k, v in source.state_dict().items()}
    assert list(old["backbone_3d.conv_input.0.weight"].shape) == [3, 3, 3, 4, 8]
    torch.save({"model_state": old}, tmp_path / "c.pth")
    load_pretrained(target, tmp_path / "c.pth")
    assert equal(source, target)


def test_what_does_not_fit_is_named_and_nothing_is_loaded(source, target, tmp_path):
    state = source.state_dict()
    del state["dense_head.conv_box.bias"]
    state["roi_head.fc.weight"] = torch.zeros(3)
    state["dense_head.conv_cls.bias"] = torch.zeros(6)
    torch.save({"model_state": state}, tmp_path / "c.pth")
    before = {k: v.clone() for k, v in target.state_dict().items()}
    with pytest.raises(CheckpointError) as error:
        load_pretrained(target, tmp_path / "c.pth")
    for part in (
        "missing: dense_head.conv_box.bias",
        "unexpected: roi_head.fc.weight",
        "shape of dense_head.conv_cls.bias: got [6], expected [18]",
    ):
        assert part in str(error.value)
    assert all(torch.equal(v, before[k]) for k, v in target.state_dict().items())


@pytest.mark.parametrize("target", [PV_RCNN, SECOND_IOU], ids=lambda s: s["type"], indirect=True)
def test_a_first_stage_alone_is_no_two_stage_detector(source, target, tmp_path):
    torch.save({"model_state": source.state_dict()}, tmp_path / "c.pth")
    before = {k: v.clone() for k, v in target.state_dict().items()}
    absent = [name for name in before if name not in source.state_dict()]
    assert {name.split(".")[0] for name in absent} <= {"pfe", "point_head", "roi_head"}
    with pytest.raises(CheckpointError) as error:
        load_pretrained(target, tmp_path / "c.pth")
    for name in absent[:20]:
        assert f"missing: {name}" in str(error.value)
    assert "shape of" not in str(error.value)
    assert f"and {len(absent) - 20} more" in str(error.value)
    assert all(torch.equal(v, before[k]) for k, v in target.state_dict().items())


@pytest.mark.parametrize(("source", "target"), [(PV_RCNN, PV_RCNN)], ids=["pv_rcnn"], indirect=True)
def test_faults_of_a_second_stage_are_named(source, target, tmp_path):
    state = source.state_dict()
    del state["pfe.SA_rawpoints.mlps.0.0.weight"]
    flat = state["roi_head.shared_fc_layer.0.weight"].squeeze(2)
    state["roi_head.shared_fc_layer.0.weight"] = flat
    torch.save({"model_state": state}, tmp_path / "c.pth")
    shapes = f"got {list(flat.shape)}, expected {[*flat.shape, 1]}"
    message = f"missing: pfe.SA_rawpoints.mlps.0.0.weight; shape of roi_head.shared_fc_layer.0.weight: {shapes}"
    with pytest.raises(CheckpointError, match=re.escape(message) + "$"):
        load_pretrained(target, tmp_path / "c.pth")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_named(source, target, tmp_path, bad):
    state, before = source.state_dict(), {k: v.clone() for k, v in target.state_dict().items()}
    state["dense_head.conv_box.bias"][2] = bad
    torch.save({"model_state": state}, tmp_path / "c.pth")
    count = state["dense_head.conv_box.bias"].numel()
    with pytest.raises(CheckpointError, match=rf"dense_head\.conv_box\.bias: 1 of {count} values are not finite"):
        load_pretrained(target, tmp_path / "c.pth")
    assert all(torch.equal(v, before[k]) for k, v in target.state_dict().items())


def test_only_the_first_faults_are_listed(target, tmp_path):
    torch.save({"model_state": {}}, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match=f"and {len(target.state_dict()) - 20} more"):
        load_pretrained(target, tmp_path / "c.pth")


def test_files_that_are_no_checkpoint(target, tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_pretrained(target, tmp_path / "absent.pth")
    for name, content in {"text": b"hello", "empty": b"", "cut": b"PK\x03\x04rest"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=name):
            load_pretrained(target, tmp_path / name)
    torch.save({"weights": {}}, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="neither model_state nor state_dict"):
        load_pretrained(target, tmp_path / "c.pth")
    torch.save([torch.zeros(1)], tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="neither"):
        load_pretrained(target, tmp_path / "c.pth")
    torch.save({"model_state": {"a": 1}}, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="not a mapping of names to tensors"):
        load_pretrained(target, tmp_path / "c.pth")


def test_nothing_is_unpickled(source, target, tmp_path):
    torch.save({"model_state": source.state_dict(), "when": datetime.timezone.utc}, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="convert it once"):
        load_pretrained(target, tmp_path / "c.pth")
