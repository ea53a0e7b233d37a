"""Building a method, the one budget rule, and the check of what a method returns."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kecor.acquisition import build_acquisition, take_within_budget, validate_selection
from kecor.acquisition.build import load_plugins
from kecor.errors import ConfigError, SelectionError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, Selection
from tests.acquisition.worlds import world

POOL = world(6)
PRESETS = sorted((Path(__file__).parents[2] / "configs" / "methods").glob("*.yaml"))


def taken(order, costs, amount):
    return take_within_budget(order, np.array(costs, float), Budget(amount)).tolist()


def test_budget_walk_takes_until_the_first_that_does_not_fit():
    assert taken([0, 1, 2, 3], [1, 1, 1, 1], 3) == [0, 1, 2]
    assert taken([2, 0, 1], [2, 2, 3], 5) == [2, 0]
    assert taken([0, 1, 2], [3, 3, 1], 5) == [0]  # 1 does not fit, 2 would, but the walk has stopped


def test_frames_dearer_than_the_whole_budget_are_passed_over():
    assert taken([0, 1, 2], [9, 2, 2], 4) == [1, 2]
    assert taken([0], [9], 4) == []


def test_budget_walk_forgives_rounding_and_takes_free_frames():
    assert taken(range(10), [0.1] * 10, 1.0) == list(range(10))
    assert taken([0, 1, 2], [0, 1, 0], 1) == [0, 1, 2]


def test_budget_walk_asks_for_no_more_than_can_fit():
    asked = []
    order = (asked.append(i) or i for i in range(10))
    assert taken(order, [1] * 10, 4) == [0, 1, 2, 3] == asked
    assert taken(iter([]), [], 4) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 30))
def test_budget_walk_takes_a_prefix_of_what_it_could_afford(costs, amount):
    candidates = [i for i, cost in enumerate(costs) if cost <= amount]
    picked = taken(range(len(costs)), costs, amount)
    assert picked == candidates[: len(picked)]
    assert sum(costs[i] for i in picked) <= amount
    if len(picked) < len(candidates):
        assert sum(costs[i] for i in candidates[: len(picked) + 1]) > amount


def good(**changes):
    return Selection(**{"indices": np.array([2, 0]), "gains": np.array([1.0, 0.5]), **changes})


def test_a_good_selection_passes():
    for selection in (good(scores=np.zeros(6)), Selection([], [])):
        assert validate_selection(selection, POOL, Budget(2), "mine") is None


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ([2, 0], "not a Selection"),
        (good(indices=np.array([2.0, 0.0])), "integers"),
        (good(indices=np.array([[2, 0]])), "integers"),
        (good(indices=np.array([2, 6])), "index 6 is outside the pool of 6"),
        (good(indices=np.array([-1, 0])), "index -1 is outside"),
        (good(indices=np.array([2, 2])), "'p0002' was picked more than once"),
        (good(gains=np.array([1.0, np.nan])), "gains are not finite"),
        (good(gains=np.array([1.0])), "gains must be"),
        (good(gains=np.array(["a", "b"])), "gains must be"),
        (good(scores=np.zeros(5)), "scores must be"),
        (good(scores=np.full(6, np.inf)), "scores are not finite"),
        (good(info={"x": np.float32(1)}), "JSON"),
        (Selection(np.arange(3), np.zeros(3)), "3 frames cost 3, over the budget of 2"),
    ],
)
def test_a_broken_contract_names_the_method_and_the_fault(selection, message):
    with pytest.raises(SelectionError, match=f"mine: .*{message}"):
        validate_selection(selection, POOL, Budget(2), "mine")


def test_predicted_boxes_are_charged():
    with pytest.raises(SelectionError, match="over the budget"):
        validate_selection(good(), POOL, Budget(POOL.n_boxes()[[0, 2]].sum() - 1, 0, 1), "mine")


def test_build_names_the_nearest_method_and_unknown_arguments():
    with pytest.raises(ConfigError, match="did you mean 'kecor'"):
        build_acquisition({"type": "kecorr"})
    with pytest.raises(ConfigError, match=r"acquisition\.type is missing; known methods: .*entropy"):
        build_acquisition({})
    with pytest.raises(ConfigError, match=r"entropy has no argument 'temperature'"):
        build_acquisition({"type": "entropy", "temperature": 2})


def test_build_names_arguments_that_are_missing_or_of_another_name():
    with pytest.raises(ConfigError, match=r"acquisition\.agregation: entropy has .* did you mean 'aggregation'"):
        build_acquisition({"type": "entropy", "agregation": "mean"})
    with pytest.raises(ConfigError, match=r"acquisition\.of is missing: power needs it"):
        build_acquisition({"type": "power"})


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_can_be_built(path):
    section = yaml.safe_load(path.read_text())["acquisition"]
    assert build_acquisition(section).needs <= {
        "detections",
        "roi_scores",
        "roi_features",
        "embedding",
        "dropout_passes",
    }


class NoNeeds:
    def select(self, pool, labelled, budget, rng):
        raise NotImplementedError


class NoSelect:
    needs = frozenset()


@pytest.mark.parametrize(("method", "message"), [(NoNeeds, "needs"), (NoSelect, "select")])
def test_a_class_without_the_contract_is_refused(method, message, monkeypatch):
    monkeypatch.setitem(ACQUISITIONS.module_dict, "broken", method)
    with pytest.raises(SelectionError, match=f"broken: .*{message}"):
        build_acquisition({"type": "broken"})


class Point:
    name, value = "theirs", "their.module"

    def __init__(self, error=None):
        self.error, self.loaded = error, False

    def load(self):
        if self.error:
            raise self.error
        self.loaded = True


def test_entry_points_are_loaded_and_a_broken_one_is_named(monkeypatch):
    points = [Point(), Point(ImportError("no module"))]
    monkeypatch.setattr("kecor.acquisition.build.entry_points", lambda group: points)
    with pytest.raises(ConfigError, match=r"'theirs' = their\.module cannot be imported: no module"):
        load_plugins()
    assert points[0].loaded
