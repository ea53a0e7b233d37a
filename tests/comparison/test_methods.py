"""Methods may only differ in their acquisition function; anything else is refused, naming method and file."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from kecor.comparison.methods import load_base, load_methods, shared_config
from kecor.errors import ConfigError
from tests.active.tiny import tiny_config, write_config


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path / "tiny.yaml", tiny_config(Path("somewhere"), acquisition={"type": "margin"}))


def load(config, *names, options=()):
    return load_methods(names, config, options)


def write(path, **values):
    path.write_text(yaml.safe_dump(values))
    return str(path)


def test_presets_replace_the_acquisition_and_nothing_else(config):
    base = load_base(config, [])
    methods = load(config, "random", "kecor", "kecor_released")
    assert [method.name for method in methods] == ["random", "kecor", "kecor_released"]
    assert methods[0].config.acquisition == {"type": "random"}
    assert methods[2].config.acquisition["class_entropy"] == "released"
    for method in methods:
        assert dataclasses.replace(method.config, acquisition=base.acquisition) == base


def test_a_user_file_may_import_its_own_modules(config, tmp_path, monkeypatch):
    (tmp_path / "brought_method.py").write_text(
        "from kecor.acquisition.random import Random\n"
        "from kecor.registry import ACQUISITIONS\n\n"
        '@ACQUISITIONS.register_module("brought")\n'
        "class Brought(Random):\n"
        "    def __init__(self, x: int = 0): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = write(tmp_path / "mine.yaml", custom_imports=["brought_method"], acquisition={"type": "brought", "x": 3})
    (method,) = load(config, own)
    assert (method.name, method.config.acquisition) == ("mine", {"type": "brought", "x": 3})
    assert method.config.custom_imports == ["brought_method"]


def test_options_hold_for_every_method(config):
    options = ["active.rounds=5", "schedule.lr=1e-3"]
    base = load_base(config, options)
    (method,) = load(config, "entropy", options=options)
    assert dataclasses.replace(method.config, acquisition=base.acquisition) == base
    assert method.config.active.rounds == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"acquisition": {"type": "entropy", "agregation": "sum"}}, "aggregation"),
        ({"acquisition": {"type": "entropy", "aggregation": "median"}}, "median"),
        ({"acquisition": {"type": "entropi"}}, "entropy"),
        ({"custom_imports": ["no_such_module"], "acquisition": {"type": "random"}}, "no_such_module"),
        ({"seed": 3}, "acquisition.type is missing"),
        ({"acquisition": {"type": "random"}, "schedule": {"epochs": 7}}, "schedule: the file of a method"),
    ],
)
def test_an_invalid_file_is_named(config, tmp_path, values, message):
    own = write(tmp_path / "wrong.yaml", **values)
    with pytest.raises(ConfigError) as caught:
        load(config, "random", own)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["entropi"], "'entropi'; did you mean 'entropy'"),
        (["zzz"], r"expected one of: badge, .*kecor"),
        (["random", "random"], "'random' is taken"),
        (["nowhere/mine.yaml"], "nowhere/mine.yaml: no such config file"),
        (["nowhere/shared.yaml"], "'shared' is taken"),
        ([""], "--method: got ''"),
    ],
)
def test_an_unknown_or_duplicate_name_is_refused(config, names, message):
    with pytest.raises(ConfigError, match=message):
        load(config, *names)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("seed=3", "--seeds"),
        ("acquisition.type=random", "--methods"),
        ("active.amount=-1", "active.amount"),
        ("schedule.lr=-1", "schedule.lr"),
        ("oracle.type=annotators", "oracle.type: got 'annotators'; a comparison needs 'simulated'"),
    ],
)
def test_options_that_a_comparison_cannot_use_are_refused(config, option, message):
    with pytest.raises(ConfigError, match=message):
        load_base(config, [option])


def test_the_shared_run_does_not_depend_on_the_acquisition_function(config):
    base = load_base(config, [])
    other = dataclasses.replace(base, acquisition={"type": "entropy"})
    assert shared_config(base) == shared_config(other)
    assert shared_config(base).active.rounds == 0
