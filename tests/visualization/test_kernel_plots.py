import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from kecor.visualization import kernel_plots
from kecor.visualization.kernel_plots import ROWS, SMALLEST_SHARE, kernel_rounds, write_kernel
from kecor.visualization.run_folder import RoundRecord, RunRecord
from tests.visualization.fake_run import kernel_info, selection


def flat(number):
    info = selection(number, "kecor", None)["info"]
    return {**info, **info["diagnostics"]}


def panels_of(rounds, tmp_path, monkeypatch):
    """Title -> axes, of what is written."""
    kept = []

    class Kept(Figure):
        def __init__(self, *arguments, **settings):
            super().__init__(*arguments, **settings)
            kept.append(self)

    monkeypatch.setattr(kernel_plots, "Figure", Kept)
    write_kernel(rounds, tmp_path / "kernel.png")
    image = imread(tmp_path / "kernel.png")
    assert image[..., :3].std() > 0.02
    assert [path.name for path in tmp_path.iterdir()] == ["kernel.png"]
    return {ax.get_title(): ax for ax in kept[0].axes}, image


def test_every_panel_shows_its_numbers(tmp_path, monkeypatch):
    rounds = {n: flat(n) for n in range(3)}
    axes, image = panels_of(rounds, tmp_path, monkeypatch)
    assert list(axes) == [panel.title for _, panels in ROWS for panel in panels]
    assert image.shape[1] > image.shape[0] > 1000
    for panel in (panel for _, panels in ROWS for panel in panels):
        ax, keys = axes[panel.title], list(panel.series)
        if ax.patches:
            heights = np.array([bar.get_height() for bar in ax.patches]).reshape(len(keys), 3)
            assert heights.tolist() == [[rounds[n][key] for n in rounds] for key in keys]
        elif isinstance(rounds[1][keys[0]], list):
            assert [line.get_ydata().tolist() for line in ax.lines] == [rounds[n][keys[0]] for n in rounds]
            assert [len(line.get_xdata()) for line in ax.lines] == [len(rounds[n][keys[0]]) for n in rounds]
            assert len({line.get_color() for line in ax.lines}) == 3
        else:
            for line, key in zip(ax.lines, keys):
                expected = [rounds[n].get(key, np.nan) for n in rounds]
                np.testing.assert_array_equal(line.get_ydata(), expected)
                assert line.get_xdata() == pytest.approx([0, 1, 2])
        low, high = ax.get_ylim()
        seen = [v for line in ax.lines for v in line.get_ydata() if np.isfinite(v) and v > SMALLEST_SHARE]
        assert all(low <= v <= high for v in seen)
        assert low >= SMALLEST_SHARE or ax.get_yscale() == "linear"


def test_what_no_round_has_is_left_out(tmp_path, monkeypatch):
    without = ("target_alignment", "label_gradient_alignment", "leading_alignment", "proxy_losses", "drift")
    rounds = {2: {key: value for key, value in flat(2).items() if key not in without}}
    axes, image = panels_of(rounds, tmp_path, monkeypatch)
    titles = [panel.title for _, panels in ROWS for panel in panels if not set(panel.series) & set(without)]
    assert list(axes) == titles
    assert len(titles) == 5
    assert image.shape[0] < 1000


def test_missing_and_non_finite_values_are_gaps(tmp_path, monkeypatch):
    rounds = {0: flat(0), 1: {**flat(1), "effective_dimension": None, "proxy_losses": [None, 0.5, 0.25]}, 3: flat(3)}
    axes, _ = panels_of(rounds, tmp_path, monkeypatch)
    dimension = axes["Effective dimension"].lines[0]
    assert dimension.get_xdata() == pytest.approx([0, 1, 3])
    assert np.isnan(dimension.get_ydata()).tolist() == [False, True, False]
    loss = axes["Training loss of the proxy head"].lines[1]
    assert loss.get_xdata() == pytest.approx([0, 50, 100])
    assert np.isnan(loss.get_ydata()).tolist() == [True, False, False]


def test_only_rounds_with_a_kernel_count(tmp_path):
    infos = [kernel_info(0), {}, {"diagnostics": "none"}, {"diagnostics": {"mine": 1}}, None, kernel_info(5)]
    rounds = [RoundRecord(n, tmp_path, {}, {"info": info}) for n, info in enumerate(infos)]
    run = RunRecord(tmp_path, [], [*rounds, RoundRecord(6, tmp_path, {})], [], {}, {})
    found = kernel_rounds(run)
    assert list(found) == [0, 5]
    assert found[5]["drift"] == infos[5]["diagnostics"]["drift"]
    assert found[0]["proxy_losses"] == infos[0]["proxy_losses"]
