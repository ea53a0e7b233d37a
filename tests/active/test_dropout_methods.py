"""Whole tiny runs of the methods that read dropout passes, and what such a run leaves to choose from again."""

import json

import numpy as np
import pytest
import torch

from kecor.acquisition import build_acquisition
from kecor.active.loop import run
from kecor.frame_sets.pairs import read_pair
from kecor.structures import Budget
from tests.active.tiny import tiny_config, write_tiny_set


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_set(tmp_path_factory.mktemp("data") / "set", n_train=8, n_val=2)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["mc_dropout", "bald", "consensus"])
def test_a_round_is_chosen_by_its_passes_and_can_be_chosen_from_again(data, tmp_path, name):
    section = {"type": name, "min_score": 0.0}
    active = {"initial": 3, "rounds": 1, "amount": 2.0, "dropout_passes": 3}
    schedule = {"epochs": 1, "batch_size": 4, "lr": 0.01}
    config = tiny_config(data, active=active, schedule=schedule, acquisition=section)
    run(config, tmp_path / "run", progress=False, log=lambda message: None)
    record = json.loads((tmp_path / "run" / "round_00" / "selection.json").read_text())
    assert len(record["ids"]) == 2
    assert all(gain > 0 for gain in record["gains"])

    method, place = build_acquisition(section), tmp_path / "run" / "round_00" / "pool"
    pool, labelled = read_pair(place / "unlabelled", place / "labelled", method.needs, name)
    for frames in (pool, labelled):
        assert frames.feats.keys() >= {"roi_mask", "roi_scores", "pass_logits", "pass_boxes"}
        assert frames.feats["pass_boxes"].shape == (len(frames), 8, 3, 7)
    again = method.select(pool, labelled, Budget(2.0), np.random.default_rng(0))
    assert pool.ids[again.indices].tolist() == record["ids"]
    np.testing.assert_allclose(again.gains, record["gains"])
