"""Shipped configs, options, methods, and what a wrong key or value is answered with."""

from pathlib import Path

import pytest
import yaml

from kecor.config import dump_config, load_config
from kecor.config.layers import SHIPPED
from kecor.config.methods import method_names
from kecor.errors import ConfigError

SMALL = SHIPPED / "kitti" / "second_small.yaml"
MAINS = sorted(p for p in SHIPPED.rglob("*.yaml") if not {"_base_", "methods"} & set(p.parts))


@pytest.mark.parametrize("path", MAINS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_config_is_valid_and_survives_a_round_trip(path, tmp_path):
    config = load_config(path)
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_config(config))
    assert load_config(copy) == config


def test_there_are_full_and_small_configs_and_not_too_many_files():
    expected = {f"{name}{size}" for name in ("waymo/second", "waymo/pv_rcnn", "nuscenes/second", "custom/second")
                for size in ("", "_small")}  # fmt: skip
    assert expected <= {path.relative_to(SHIPPED).with_suffix("").as_posix() for path in MAINS}
    assert len(list(SHIPPED.rglob("*.yaml"))) <= 40


@pytest.mark.parametrize("path", MAINS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_detector_has_an_anchor_for_each_class_and_as_many_features_as_the_data_set(path):
    config = load_config(path)
    assert [anchor["name"] for anchor in config.detector["dense_head"]["anchors"]] == config.data.classes
    features = {"waymo": 5, "nuscenes": 5}.get(config.data.type, 4)
    assert config.detector["backbone_3d"]["in_channels"] == features


@pytest.mark.parametrize("folder", ["kitti", "waymo"])
@pytest.mark.parametrize("size", ["", "_small"])
def test_two_stage_detectors_stand_on_second(folder, size):
    second, pv_rcnn = (load_config(f"{folder}/{name}{size}.yaml").detector for name in ("second", "pv_rcnn"))
    for key in ("norm_momentum", "backbone_3d", "backbone_2d", "dense_head"):
        assert pv_rcnn[key] == second[key]
    assert pv_rcnn["post_processing"]["score_threshold"] == second["post_processing"]["score_threshold"]


@pytest.mark.parametrize("name", method_names())
def test_any_method_goes_with_any_config(name):
    base = load_config(SMALL)
    config = load_config(SMALL, method=name)
    assert (config.data, config.detector, config.active) == (base.data, base.detector, base.active)
    assert name in (config.acquisition["type"], "entropy_kecor") or name.startswith("kecor_")


def test_options_override_and_are_typed():
    options = ["data.root=/somewhere", "schedule.lr=1e-2", "active.rounds=2", "schedule.grad_clip=5"]
    config = load_config(SMALL, options)
    assert config.data.root == "/somewhere"
    assert (config.schedule.lr, config.active.rounds) == (0.01, 2)
    assert isinstance(config.schedule.grad_clip, float)


def test_defaults_come_before_options():
    assert load_config(SMALL, ["acquisition.sigma=0.2"]).acquisition == {"type": "kecor", "sigma": 0.2}
    assert load_config(SMALL, ["acquisition.sigma=0.2"], method="kecor_linear").acquisition == {
        "type": "kecor",
        "kernel": {"type": "linear"},
        "sigma": 0.2,
    }


def test_another_type_replaces_its_section():
    options = ["acquisition.sigma=0.2", "acquisition.type=entropy", "acquisition.aggregation=max"]
    assert load_config(SMALL, options).acquisition == {"type": "entropy", "aggregation": "max"}
    assert load_config(SMALL, ["evaluation.type=boxes"]).evaluation == {"type": "boxes"}


def test_fewer_classes_need_no_other_key():
    config = load_config(SMALL, ["data.classes=[Car]"])
    assert [anchor["name"] for anchor in config.detector["dense_head"]["anchors"]] == ["Car"]
    assert config.data.augmentation[0]["counts"] == {"Car": 25}


def test_lists_are_appended_to_and_their_items_set():
    options = ["data.augmentation+=[{type: scale}]", "detector.dense_head.anchors.1.matched=0.35"]
    config = load_config(SMALL, options)
    assert [item["type"] for item in config.data.augmentation] == ["gt_sampling", "flip", "rotate", "scale"]
    assert [anchor["matched"] for anchor in config.detector["dense_head"]["anchors"]] == [0.6, 0.35, 0.5]


def test_a_data_set_has_keys_of_its_own():
    assert load_config(SMALL).data.options == {"camera_view": True}
    assert load_config(SMALL, ["data.camera_view=false"]).data.options == {"camera_view": False}
    with pytest.raises(ConfigError, match=r"unknown key 'data\.camera_viev'; did you mean 'camera_view'"):
        load_config(SMALL, ["data.camera_viev=false"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("data.rot=/x", "unknown key 'data.rot'; did you mean 'root'"),
        ("schedul.lr=1", "unknown key 'schedul'; did you mean 'schedule'"),
        ("schedule.epochs=ten", "schedule.epochs: got 'ten'; expected int"),
        ("schedule.epochs=true", "schedule.epochs: got True; expected int"),
        ("schedule.epochs=0", "schedule.epochs: got 0; expected a number from 1 to"),
        ("schedule.iterations=100", "schedule.iterations: got 100; expected a multiple of schedule.epochs (16)"),
        ("schedule.iterations=0", "schedule.iterations: got 0; expected a number from 1 to"),
        ("schedule.lr=.inf", "schedule.lr: got inf; expected a finite number"),
        ("schedule.lr=.nan", "schedule.lr: got nan"),
        ("schedule.pct_start=1", "schedule.pct_start: got 1"),
        ("schedule.amp=bf15", "schedule.amp: got 'bf15'; expected one of: none, bf16, fp16"),
        ("active.dropout_rate=1", "active.dropout_rate: got 1"),
        ("active.amount=-1", "active.amount: got -1"),
        ("seed=-1", "seed: got -1"),
        ("acquisition.type=kekor", "acquisition.type: got 'kekor'; did you mean 'kecor'"),
        ("acquisition.sigm=1", "unknown key 'acquisition.sigm'; did you mean 'sigma'"),
        ("acquisition.sigma=1e30", "acquisition.sigma: got 1e+30; expected a finite number"),
        ("data.augmentation.0.typ=flip", "unknown key 'data.augmentation[0].typ'"),
        ("data.type=kity", "data.type: got 'kity'; did you mean 'kitti'"),
        ("data.voxels=3", "data.voxels: got 3; expected a section of keys"),
        ("data.voxels.size=[1e-9,1,1]", "voxels along one axis"),
        ("data.point_cloud_range=[0,0,0,-1,1,1]", "data.point_cloud_range"),
        ("data.classes=[Car,Car]", "data.classes: got ['Car', 'Car']"),
        ("no_equals_sign", "--set 'no_equals_sign': expected key.sub=value"),
        ("schedule.epochs.more=1", "there is no section above 'more'"),
        ("data.classes.7=Car", "got position '7'; expected one from 0 to 2"),
        ("schedule.epochs+=[1]", "+= appends a list to a list"),
        ("seed=[1", "--set 'seed=[1': line 1"),
    ],
)
def test_a_wrong_option_is_named(option, message):
    with pytest.raises(ConfigError) as caught:
        load_config(SMALL, [option])
    assert message in str(caught.value)


def test_a_missing_key_and_a_missing_file_are_named(tmp_path):
    path = tmp_path / "config.yaml"
    values = yaml.safe_load(dump_config(load_config(SMALL)))
    del values["data"]["root"]
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=r"config\.yaml: data\.root is missing"):
        load_config(path)
    with pytest.raises(ConfigError, match="no such config file"):
        load_config(tmp_path / "none.yaml")


def test_a_shipped_config_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        load_config("configs/kitti/second_small.yaml") == load_config("kitti/second_small.yaml") == load_config(SMALL)
    )
    Path("own.yaml").write_text("_base_: kitti/second_small.yaml\nseed: 4\n")
    assert load_config("own.yaml").seed == 4


PLUGIN = (
    "from kecor.registry import ACQUISITIONS\n"
    "@ACQUISITIONS.register_module('{name}')\n"
    "class Mine:\n"
    "    def __init__(self, temperature: float = 1.0): ...\n"
)


def test_a_custom_import_registers_a_method(tmp_path, monkeypatch):
    (tmp_path / "my_method_for_config_test.py").write_text(PLUGIN.format(name="mine"))
    monkeypatch.syspath_prepend(tmp_path)
    options = ["custom_imports=[my_method_for_config_test]", "acquisition={type: mine, temperature: 2.0}"]
    assert load_config(SMALL, options).acquisition == {"type": "mine", "temperature": 2.0}
    assert load_config(SMALL, options[:1], method="mine").acquisition == {"type": "mine"}
    with pytest.raises(ConfigError, match="'no_such_module' cannot be imported"):
        load_config(SMALL, ["custom_imports=[no_such_module]"])


def test_the_file_of_a_method_brings_its_modules_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "brought_for_config_test.py").write_text(PLUGIN.format(name="brought_by_file"))
    monkeypatch.syspath_prepend(tmp_path)
    own = tmp_path / "own.yaml"
    own.write_text("custom_imports: [brought_for_config_test]\nacquisition: {type: brought_by_file}\n")
    config = load_config(SMALL, method=str(own))
    assert (config.acquisition, config.custom_imports) == ({"type": "brought_by_file"}, ["brought_for_config_test"])
    own.write_text("acquisition: {type: random}\nseed: 3\n")
    with pytest.raises(ConfigError, match=r"own\.yaml: seed: the file of a method holds acquisition"):
        load_config(SMALL, method=str(own))
    own.write_text("seed: 3\n")
    with pytest.raises(ConfigError, match=r"own\.yaml: acquisition\.type is missing"):
        load_config(SMALL, method=str(own))
    with pytest.raises(ConfigError, match="--method: got 'kekor'; did you mean 'kecor'"):
        load_config(SMALL, method="kekor")
