"""A short campaign, and what it relies on. The long one: ``python -m tests.fuzz``."""

import time

import numpy as np
import pytest

from kecor.errors import ConfigError
from tests.fuzz import configs
from tests.fuzz.cases import outcome_of
from tests.fuzz.run import run
from tests.fuzz.values import MUTATIONS


@pytest.mark.usefixtures("one_thread")
def test_wrong_configs_and_damaged_files_end_well(tmp_path):
    tally = run(200, 1, tmp_path)
    assert not tally.failures, "\n".join(tally.failures)
    counts = sum(tally.counts.values(), type(next(iter(tally.counts.values())))())
    assert counts.total() == 200
    assert counts["success"] > 10
    assert counts["KecorError"] > 50


@pytest.mark.parametrize("name", ["kitti/pv_rcnn_small.yaml", "nuscenes/second_small.yaml", "methods/kecor.yaml"])
def test_a_config_as_it_is_shipped_can_be_built(tmp_path, name):
    configs.load_and_build(configs.shipped()[name], tmp_path / "config.yaml")


def test_every_key_has_its_turn_before_one_comes_again():
    values = {"a.yaml": {"x": 1, "y": [{"z": 2}]}}
    found = list(configs.cases(values, np.random.default_rng(0)))
    assert {case[1] for case in found[:4]} == {("x",), ("y",), ("y", 0), ("y", 0, "z")}
    assert configs.changed(values["a.yaml"], ("y", 0, "z"), None) == {"x": 1, "y": [{"z": None}]}


def test_outcomes_tell_errors_of_ours_from_others_and_from_hangs():
    def refuse():
        raise ConfigError("a.b: got 1")

    outcomes = [outcome_of(call, 0.2) for call in (list, refuse, lambda: 1 / 0, lambda: time.sleep(5))]
    assert [outcome.kind for outcome in outcomes] == ["success", "KecorError", "failure", "failure"]
    assert outcomes[1].text == "a.b: got 1"
    assert "ZeroDivisionError" in outcomes[2].text
    assert "no end after 0.2 s" in outcomes[3].text


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
@pytest.mark.parametrize("data", [b"", b"Car 1.5 -2\nVan 3 4\n", bytes(range(256))], ids=["empty", "text", "binary"])
def test_mutations_are_a_function_of_the_seed_and_mostly_change_the_file(mutation, data):
    results = [mutation(data, np.random.default_rng(seed)) for seed in range(20)]
    assert results == [mutation(data, np.random.default_rng(seed)) for seed in range(20)]
    assert data == b"" or len(set(results)) > 1 or data not in results
