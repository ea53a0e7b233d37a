"""A clock that is set back during a run makes no negative seconds."""

import csv
import itertools
import json
import time

from kecor.active.loop import run
from tests.active.tiny import tiny_config, write_tiny_set


def test_a_clock_that_goes_backwards_makes_no_negative_seconds(tmp_path, monkeypatch):
    calls = itertools.count()
    monkeypatch.setattr(time, "time", lambda: 2e9 - 3600.0 * next(calls))
    config = tiny_config(
        write_tiny_set(tmp_path / "set", 6, 2),
        active={"initial": 2, "rounds": 1, "amount": 2.0},
        schedule={"epochs": 1, "batch_size": 2, "lr": 0.01},
    )
    run(config, tmp_path / "run", progress=False, log=lambda message: None)
    assert next(calls) > 0  # something did ask what time it is
    state = json.loads((tmp_path / "run" / "al_state.json").read_text())
    seconds = [value for stages in state["seconds"] for value in stages.values()]
    assert len(seconds) >= 6
    assert all(0 < value < 600 for value in seconds)
    with (tmp_path / "run" / "summary.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert all(float(value) > 0 for row in rows for key, value in row.items() if key.startswith("seconds_") and value)
    assert "-" not in "".join(line.split("frames/s")[0][-12:] for line in (tmp_path / "run/round_00/train.log").open())
