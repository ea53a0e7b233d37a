"""Comparisons of synthetic runs whose results can be worked out by hand."""

import csv
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from kecor.comparison.results import evaluate_runs
from kecor.comparison.rows import with_means, write_rows
from kecor.comparison.tables import tables, verdict
from kecor.errors import DataError
from kecor.visualization.run_folder import read_summary
from tests.active.tiny import tiny_config
from tests.comparison.prepared import rows_of


def texts(rows):
    return [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]


def runs_of(seeds=3, **methods):
    """Random rises from 10 AP at 100 boxes to 50 at 300; a method with a gain needs fewer boxes and has a higher AP."""
    return {
        name: {
            s: texts(rows_of([100 + s, 200 - gain, 300 - gain], [10.0 + s, 30 + gain + s, 50 + gain]))
            for s in range(seeds)
        }
        for name, gain in methods.items()
    }


LOW, HIGH = (texts(rows_of(boxes, [1.0, 2.0])) for boxes in ([10, 20], [20, 30]))
ZERO = texts(rows_of([10, 20], [0.0, 0.0]))


def config_of(*classes):
    """A config with these classes and the metric ``kitti``."""
    config = tiny_config(Path("somewhere"))
    return dataclasses.replace(config, data=dataclasses.replace(config.data, classes=list(classes)))


def results_of(runs, metric="Car_3d", target=None):
    return evaluate_runs(runs, metric, target, np.random.default_rng(0))


def test_means_per_round_are_over_the_seeds_that_have_the_round():
    runs = runs_of(random=0, better=10)
    runs["better"][2].pop()
    results = results_of(runs)
    found = {(means.method, means.round): means for means in results.rounds}
    assert [means.seeds for means in results.rounds] == [3, 3, 3, 3, 3, 2]
    assert found["random", 0].boxes == (101, 1)
    assert found["random", 1].ap == (31, 1)
    assert found["better", 2].ap == (60, 0)
    assert found["better", 1].frames == (20, 0)


def test_the_area_is_over_the_range_that_all_runs_cover():
    results = results_of(runs_of(random=0, better=10))
    assert results.span == (102, 290)
    grid = np.linspace(102, 290, 100_001)
    for s in range(3):
        line = np.interp(grid, [100 + s, 190, 290], [10 + s, 40 + s, 60])
        assert results.heights["better"][s] == pytest.approx(line.mean(), abs=1e-3)
    (paired,) = results.paired
    assert paired.method == "better"
    assert paired.differences[1] == results.heights["better"][1] - results.heights["random"][1]
    assert paired.mean == pytest.approx(np.mean(list(paired.differences.values())))
    assert (paired.p, paired.corrected) == (0.25, 0.25)


def test_comparing_at_equal_frames_ignores_the_number_of_boxes():
    cheap, dear = (texts(rows_of(boxes, [10.0, 30.0, 50.0])) for boxes in ([100, 150, 200], [100, 200, 300]))
    runs = {"random": {0: dear}, "cheap": {0: cheap}}
    boxes, frames = (evaluate_runs(runs, "Car_3d", None, np.random.default_rng(0), x) for x in ("boxes", "frames"))
    assert boxes.paired[0].mean == pytest.approx(30 - 20)
    assert frames.paired[0].mean == 0
    assert frames.reach[0].costs == frames.reach[1].costs
    told = "".join(table.text() for table in tables(frames)[1:]) + "".join(verdict(frames))
    assert "Frames needed to reach an AP" in told
    assert "boxes" not in told


def test_a_target_that_is_not_reached_counts_as_infinite():
    results = results_of(runs_of(random=0, better=10), target=55)
    by_method = {reach.method: reach for reach in results.reach}
    assert set(by_method["random"].costs.values()) == {math.inf}
    assert by_method["random"].interval == (math.inf, math.inf)
    better = by_method["better"].costs  # from 40 + s at 190 boxes to 60 at 290
    assert better == pytest.approx({s: 190 + 100 * (15 - s) / (20 - s) for s in range(3)})
    assert by_method["better"].median == sorted(better.values())[1]
    table = tables(results)[1]
    assert "55 (Car_3d)" in table.title
    assert table.rows[0] == ["random", "0 of 3", *["not reached"] * 6]
    assert table.rows[1][:2] == ["better", "3 of 3"]


def test_the_default_target_is_one_that_all_runs_reach():
    results = results_of(runs_of(random=0, better=10.27))
    assert (results.target, results.target_given) == (50.0, False)
    assert all(math.isfinite(cost) for reach in results.reach for cost in reach.costs.values())
    assert "a target chosen before the runs is better" in tables(results)[1].text()
    assert "a target chosen before the runs is better" not in tables(results_of(runs_of(random=0), target=50))[1].text()


def test_without_any_ap_there_is_no_default_target():
    table = tables(results_of({"random": {0: ZERO}, "better": {0: LOW}}))[1]
    assert table.rows == []
    assert "set one with --target-ap" in table.text()


def test_three_seeds_are_too_few_for_significance():
    said = verdict(results_of(runs_of(random=0, better=10)))
    assert said[0] == (
        "With 3 seeds no difference can be significant at 5 %: the smallest possible p is 0.25; "
        "at least 6 seeds are needed."
    )
    assert said[1].startswith("better: on average 9.18 AP above random from 102 to 290 boxes, ")
    assert said[1].endswith("above it in 3 of 3 seeds, corrected p = 0.25: the difference is not significant.")


def test_more_methods_need_more_seeds_for_significance():
    said = verdict(results_of(runs_of(6, random=0, better=10)))
    assert said[0] == "With 6 seeds the smallest possible p is 0.0312."
    assert said[1].endswith("above it in 6 of 6 seeds, corrected p = 0.0312: the difference is significant at 5 %.")
    said = verdict(results_of(runs_of(6, random=0, better=10, worse=-10)))
    assert said[0].startswith("With 6 seeds no difference among 2 methods can be significant at 5 %: ")
    assert said[0].endswith("p is 0.0625; at least 7 seeds are needed.")
    assert "worse: on average" in said[2]
    assert "AP below random from 105 to 290 boxes, below it in 6 of 6 seeds, corrected p = 0.0625: the" in said[2]


def test_pairs_are_made_of_the_common_seeds():
    runs = runs_of(4, random=0, better=10)
    del runs["better"][0], runs["random"][3]
    (paired,) = results_of(runs).paired
    assert list(paired.differences) == [1, 2]
    assert tables(results_of(runs))[3].rows[0][4:] == [None, *paired.differences.values(), None]


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (runs_of(better=10), "no finished run of 'random'"),
        (runs_of(random=0), "nothing to compare 'random' with"),
        ({"random": {0: LOW}, "m": {0: HIGH}}, "share no range"),
        ({"random": {0: ZERO}, "m": {0: ZERO}}, "With 1 seed no difference"),
        (
            runs_of(1, random=0, better=10),
            "With 1 seed no difference can be significant at 5 %: the smallest possible p",
        ),
    ],
)
def test_conclusions_that_the_results_do_not_support_are_not_drawn(runs, words):
    results = results_of(runs)
    assert words in verdict(results)[0]
    assert all(table.text() for table in tables(results))


def test_a_column_without_values_is_an_error_that_names_the_run():
    runs = runs_of(random=0)
    runs["random"][2] = texts(rows_of([100, 200], [None, None]))
    with pytest.raises(DataError, match="random, seed 2: no round has a value of Car_3d"):
        results_of(runs)


MEANS = ["mean_3d", "mean_bev", "mean_3d_loose", "mean_bev_loose"]


def test_a_mean_is_over_the_classes_that_have_an_ap():
    row = {"boxes": "1", "A_3d": "10", "B_3d": "20.5", "C_3d": "0.0", "A_bev": "30", "B_bev": "", "C_bev": "50"}
    row |= {"A_3d_loose": "", "B_3d_loose": "7.25", "C_3d_loose": "", "Other_3d": "90"}
    row |= {"A_bev_loose": "", "B_bev_loose": "", "C_bev_loose": ""}
    (found,) = with_means([row], config_of("A", "B", "C"))
    assert {name: found[name] for name in row} == row
    assert {name: float(found[name]) for name in MEANS[:3]} == pytest.approx(dict(zip(MEANS, [30.5 / 3, 40, 7.25])))
    assert found["mean_bev_loose"] == ""


def test_runs_are_compared_by_a_mean_over_classes():
    runs = runs_of(random=0, better=10)
    for seeds in runs.values():
        for s, rows in seeds.items():
            others = [{**row, "Cyclist_3d": str(80 - 10 * k), "Van_3d": ""} for k, row in enumerate(rows)]
            seeds[s] = with_means(others, config_of("Car", "Cyclist", "Van"))
    results = results_of(runs, "mean_3d", target=52)
    assert [means.ap[0] for means in results.rounds] == [45.5, 50.5, 55, 45.5, 55.5, 60]  # of Car and Cyclist
    assert results.reach[0].costs[0] == 200 + 100 * (52 - 50) / (55 - 50)
    cars, cyclists = (results_of(runs, metric).heights["better"] for metric in ("Car_3d", "Cyclist_3d"))
    assert results.heights["better"] == pytest.approx({s: (cars[s] + cyclists[s]) / 2 for s in cars})
    with pytest.raises(DataError, match=r"no round has a value of mean_bev: .*for a mean: of any class"):
        results_of(runs, "mean_bev")


def test_all_rows_are_written_unchanged(tmp_path):
    runs = runs_of(2, random=0, better=10)
    write_rows(runs, tmp_path / "compare.csv")
    with (tmp_path / "compare.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert list(table[0]) == ["method", "seed", "round", "frames", "boxes", "cost", "Car_3d", "Car_bev_loose"]
    assert len(table) == 12
    assert table[10] == {"method": "better", "seed": "1"} | {
        key: runs["better"][1][1][key] for key in list(table[0])[2:]
    }
    assert len(read_summary(tmp_path / "compare.csv")) == 12
