import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from kecor.visualization.comparison import Table, draw_methods, write_comparison, write_curves
from tests.visualization.fake_run import summary_row
from tests.visualization.test_report import Page

N_METHODS = 8
RUNS = {f"m{i}": {s: [{**summary_row(k), "boxes": 100 * k + i + s, "Car_3d": 10 * k + i * s} for k in range(4 - s % 2)]
                  for s in range(3)} for i in range(N_METHODS)}  # fmt: skip


@pytest.mark.parametrize("x", ["boxes", "frames"])
def test_thick_is_the_mean_of_the_rounds_all_seeds_have_and_thin_is_each_seed(x):
    ax = Figure().add_subplot()
    draw_methods(ax, RUNS, "Car_3d", x)
    means, thin = ax.lines[:N_METHODS], ax.lines[N_METHODS:]
    assert len(thin) == 3 * N_METHODS
    for i, line in enumerate(means):
        seeds = list(RUNS[f"m{i}"].values())
        np.testing.assert_allclose(line.get_xdata(), np.mean([[row[x] for row in rows[:3]] for rows in seeds], axis=0))
        np.testing.assert_allclose(line.get_ydata(), [10 * k + i for k in range(3)])
        for s, one in enumerate(thin[3 * i : 3 * i + 3]):
            np.testing.assert_allclose(one.get_ydata(), [row["Car_3d"] for row in seeds[s]])
            assert one.get_color() == line.get_color()
            assert one.get_linewidth() < line.get_linewidth()
    looks = {(line.get_color(), line.get_linestyle()) for line in means}
    assert len(looks) == N_METHODS


def test_the_picture_is_written_even_of_one_run_with_gaps(tmp_path):
    for name, runs in (("all", RUNS), ("one", {"m": {0: [{**summary_row(0), "Car_3d": ""}]}})):
        write_curves(runs, "Car_3d", 25.0, tmp_path / f"{name}.png")
        image = imread(tmp_path / f"{name}.png")
        assert image.shape[1] > image.shape[0] > 300
    assert imread(tmp_path / "all.png")[..., :3].std() > 0.02


def test_the_page_holds_everything_and_asks_for_nothing(tmp_path):
    write_curves(RUNS, "Car_3d", 25.0, tmp_path / "compare.png")
    done = tmp_path / "m<1>" / "seed_0"
    done.mkdir(parents=True)
    (done / "report.html").write_text("a report")
    table = Table("Boxes <to> reach", ["method", "mean"], [["m<1>", 1.234], ["m2", None]], ["A note & more."])
    folders = [("m<1>, seed 0", done), ("m2, seed 0", tmp_path / "m2" / "seed_0")]
    write_comparison(
        tmp_path / "compare.html", ["m<1>", "m2"], ["Nothing < is shown."], tmp_path / "compare.png", [table], folders
    )
    page = Page((tmp_path / "compare.html").read_text())
    assert ["m<1>", "1.23"] in page.rows
    assert ["m2", "–"] in page.rows  # noqa: RUF001
    for words in (
        "Methods compared: m<1>, m2",
        "Nothing < is shown.",
        "Boxes <to> reach",
        "A note & more.",
        "bootstrap",
    ):
        assert words in page.text
    images = [url for url in page.urls if url.startswith("data:image/png")]
    assert len(images) == 1
    assert [url for url in page.urls if url not in images] == ["m<1>/seed_0/report.html"]
    assert "m2/seed_0" in page.text


def test_a_table_in_text():
    table = Table("Title", ["method", "AP"], [["random", 1.0]], ["Note."])
    assert table.text() == "Title\nmethod    AP\n------  ----\nrandom  1.00\nNote."
