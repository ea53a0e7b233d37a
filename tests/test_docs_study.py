"""The study's tables are those of its raw numbers."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from kecor.comparison.results import evaluate_runs
from kecor.comparison.tables import tables

STUDY = Path(__file__).parents[1] / "docs" / "study"
PAGE = (STUDY / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"`(\w+\.csv)`, (\w+), (boxes|frames)(?:, target (\d+))?:\n\n```\n(.*?)\n```", PAGE, re.DOTALL)


def runs_of(path):
    runs = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            runs.setdefault(row["method"], {}).setdefault(int(row["seed"]), []).append(row)
    return runs


@pytest.mark.parametrize(("name", "metric", "cost", "target", "block"), SHOWN)
def test_a_table_of_the_study_is_that_of_the_raw_numbers(name, metric, cost, target, block):
    wanted = float(target) if target else None
    results = evaluate_runs(runs_of(STUDY / name), metric, wanted, np.random.default_rng(0), cost)
    assert block in [table.text() for table in tables(results)]


def test_every_table_of_the_study_is_checked():
    assert len(SHOWN) == PAGE.count("```\n") - PAGE.count("```bash") - len(SHOWN) > 0


def test_the_study_is_as_large_as_it_says():
    runs = runs_of(STUDY / "compare.csv")
    assert {len(rows) for seeds in runs.values() for rows in seeds.values()} == {5}
    for method in ("random", "entropy", "label_entropy", "coreset", "badge", "crb", "kecor", "kecor_released"):
        assert set(runs[method]) == {0, 1, 2}
