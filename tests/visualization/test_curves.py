import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from kecor.evaluation.kitti.metric import KittiMetric
from kecor.visualization.curves import draw_curves, write_curve
from tests.visualization.fake_run import CLASSES, summary_row

ROWS = [summary_row(k) for k in range(4)]
TEXT = [{k: "" if v is None else str(v) for k, v in row.items()} for row in ROWS]


@pytest.mark.parametrize("x", ["boxes", "frames"])
def test_curves_of_several_runs_go_through_their_numbers(x):
    ax = Figure().add_subplot()
    draw_curves(ax, {"kecor": ROWS, "random": TEXT[:2]}, "Car_3d", x=x)
    first, second = ax.lines
    np.testing.assert_allclose(first.get_xdata(), [row[x] for row in ROWS])
    np.testing.assert_allclose(first.get_ydata(), [row["Car_3d"] for row in ROWS])
    np.testing.assert_allclose(second.get_ydata(), first.get_ydata()[:2])
    assert first.get_color() != second.get_color()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["kecor", "random"]
    assert x in ax.get_xlabel()


@pytest.mark.parametrize("rows", [ROWS, TEXT, [{**ROWS[0], "Cyclist_3d": math.nan}, *ROWS[1:]]])
def test_a_missing_value_is_a_gap(rows):
    ax = Figure().add_subplot()
    draw_curves(ax, {"run": rows}, "Cyclist_3d")
    values = ax.lines[0].get_ydata()
    assert np.isnan(values).tolist() == [True, False, False, False]


def test_an_unknown_column_or_axis_is_an_error_that_names_it():
    ax = Figure().add_subplot()
    with pytest.raises(ValueError, match=r"'kecor'.*'Truck_3d'.*Car_3d"):
        draw_curves(ax, {"kecor": ROWS}, "Truck_3d")
    with pytest.raises(ValueError, match=r"'cost'.*boxes, frames"):
        draw_curves(ax, {"kecor": ROWS}, "Car_3d", x="cost")


@pytest.mark.parametrize("rows", [ROWS, TEXT, ROWS[:1], [summary_row(0), summary_row(0)]])
def test_write_curve_writes_a_picture_even_of_one_round(tmp_path, rows):
    write_curve(rows, tmp_path / "curve.png", CLASSES, KittiMetric.panels)
    image = imread(tmp_path / "curve.png")
    assert image.shape[1] > image.shape[0] > 300
    assert image[..., :3].std() > 0.02
    assert [p.name for p in tmp_path.iterdir()] == ["curve.png"]
