from pathlib import Path

import pytest
import yaml

from kecor.config import dump_config, load_config
from kecor.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "configs"
KECOR = CONFIGS / "simulated" / "second_small_kecor.yaml"
MAINS = sorted(p for p in CONFIGS.rglob("*.yaml") if "_base_" not in p.parts)


@pytest.mark.parametrize("path", MAINS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_config_is_valid_and_survives_a_round_trip(path, tmp_path):
    config = load_config(path)
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_config(config))
    assert load_config(copy) == config


def test_options_override_and_are_typed():
    config = load_config(KECOR, ["data.root=/somewhere", "schedule.lr=1e-2", "active.rounds=2", "data.classes=[Car]"])
    assert config.data.root == "/somewhere"
    assert config.schedule.lr == 0.01
    assert config.active.rounds == 2
    assert config.data.classes == ["Car"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("data.rot=/x", "unknown key 'data.rot'; did you mean 'root'"),
        ("schedul.lr=1", "unknown key 'schedul'; did you mean 'schedule'"),
        ("schedule.epochs=ten", "schedule.epochs: expected int, got 'ten'"),
        ("schedule.epochs=true", "schedule.epochs: expected int"),
        ("schedule.amp=bf15", "schedule.amp: 'bf15' is none of none, bf16, fp16"),
        ("acquisition.type=kekor", "unknown key 'acquisition.type.kekor'; did you mean 'kecor'"),
        ("acquisition.sigm=1", "unknown key 'acquisition.sigm'; did you mean 'sigma'"),
        ("data.type=kity", "did you mean 'kitti'"),
        ("data.voxels=3", "data.voxels: expected a section of keys, got 3"),
        ("no_equals_sign", "expected key.sub=value"),
    ],
)
def test_a_wrong_option_is_named(option, message):
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        load_config(KECOR, [option])


def test_a_missing_key_and_a_missing_file_are_named(tmp_path):
    path = tmp_path / "config.yaml"
    values = yaml.safe_load(dump_config(load_config(KECOR)))
    del values["data"]["root"]
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=r"config\.yaml: data\.root is missing"):
        load_config(path)
    with pytest.raises(ConfigError, match="no such config file"):
        load_config(tmp_path / "none.yaml")


def test_text_that_is_no_yaml_is_named(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("data: [1, 2\n")
    with pytest.raises(ConfigError, match=r"broken\.yaml: cannot be read"):
        load_config(path)


def test_a_custom_import_registers_a_method(tmp_path, monkeypatch):
    (tmp_path / "my_method_for_config_test.py").write_text(
        "from kecor.registry import ACQUISITIONS\n"
        "@ACQUISITIONS.register_module('mine')\n"
        "class Mine:\n"
        "    def __init__(self, temperature: float = 1.0): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    options = ["custom_imports=[my_method_for_config_test]", "acquisition={type: mine, temperature: 2.0}"]
    assert load_config(KECOR, options).acquisition == {"type": "mine", "temperature": 2.0}
    with pytest.raises(ConfigError, match="'no_such_module' cannot be imported"):
        load_config(KECOR, ["custom_imports=[no_such_module]"])
