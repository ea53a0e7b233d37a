"""A selection.json that does not fit the run is refused by name before any label is read."""

import json

import pytest

from kecor.active.selection.selection_file import read_selection
from kecor.errors import StateError

GOOD = {"round": 0, "method": "random", "ids": ["b", "a"], "gains": [1.0, 0], "info": {}}


def test_a_record_that_fits_is_given_back(tmp_path):
    (tmp_path / "selection.json").write_text(json.dumps(GOOD))
    assert read_selection(tmp_path / "selection.json", ["a", "b", "c"]) == GOOD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([], "expected a JSON object, got a list"),
        ({"ids": "ba"}, "ids: expected a list of frame ids"),
        ({"ids": ["b", 1]}, "ids: expected a list of frame ids"),
        ({"ids": ["b", "../../etc/passwd"]}, "ids: '../../etc/passwd' is not a frame of the training split"),
        ({"ids": ["b", "b"]}, "ids: a frame is listed twice"),
        ({"gains": [1.0]}, "gains: expected 2 numbers"),
        ({"gains": [1.0, "2"]}, "gains: expected 2 numbers"),
        ({"info": None}, "info: expected a JSON object"),
    ],
)
def test_a_record_that_does_not_is_refused(tmp_path, change, message):
    path = tmp_path / "selection.json"
    path.write_text(json.dumps({**GOOD, **change} if isinstance(change, dict) else change))
    with pytest.raises(StateError, match=rf"selection\.json: {message}.*new run"):
        read_selection(path, ["a", "b", "c"])


@pytest.mark.parametrize("text", ["", "{", '{"ids": [NaN'])
def test_text_that_is_no_json_is_refused(tmp_path, text):
    (tmp_path / "selection.json").write_text(text)
    with pytest.raises(StateError, match=r"selection\.json: .*restore it"):
        read_selection(tmp_path / "selection.json", [])
