import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.image import imread

from kecor.geometry.boxes import bev_corners
from kecor.structures import Detections, Frame
from kecor.visualization.bird_eye import CELL, TICK, draw_frame, draw_picks, top_points, write_frame
from kecor.visualization.palette import class_colours
from tests.visualization.fake_run import CLASSES, fake_frame


def drawn(frame, detections=None):
    ax = Figure().add_subplot()
    draw_frame(ax, frame, detections, CLASSES)
    polygons = [c for c in ax.collections if isinstance(c, PolyCollection)]
    ticks = [c for c in ax.collections if isinstance(c, LineCollection)]
    return ax, polygons, ticks


def test_box_outlines_lie_at_the_boxes_corners():
    frame, found = fake_frame(n_boxes=5)
    _, (truth, predicted), _ = drawn(frame, found)
    for collection, boxes in ((truth, frame.boxes), (predicted, found.boxes)):
        outlines = np.stack([path.vertices[:4] for path in collection.get_paths()])
        np.testing.assert_allclose(outlines[:, :, ::-1], bev_corners(boxes), atol=1e-6)


def test_heading_ticks_point_forward_beyond_the_front():
    frame, _ = fake_frame(n_boxes=4)
    _, _, (ticks,) = drawn(frame)
    for box, (start, end) in zip(frame.boxes.astype(float), ticks.get_segments()):
        reach = box[3] / 2 + TICK
        assert start == pytest.approx([box[1], box[0]], abs=1e-5)
        assert end[1] - start[1] == pytest.approx(reach * np.cos(box[6]), abs=1e-5)
        assert end[0] - start[0] == pytest.approx(reach * np.sin(box[6]), abs=1e-5)


def test_x_is_up_y_is_left_and_everything_is_in_view_at_equal_scales():
    boxes = np.array([[85, 3, -1, 4, 2, 1.5, 0.3], [5, -45, -1, 4, 2, 1.5, 2.0]], np.float32)
    frame = Frame("f", fake_frame()[0].points, boxes, np.array(["Car", "Cyclist"]))
    ax, _, _ = drawn(frame)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left > right
    assert bottom < 0 < top
    edges = bev_corners(boxes).reshape(-1, 2)
    assert edges[:, 0].max() < top
    assert right < edges[:, 1].min()
    assert left - right == pytest.approx(top - bottom)


def test_class_gives_the_colour_and_score_the_opacity():
    frame, found = fake_frame(n_boxes=3)
    found.scores = np.array([0.1, 0.5, 1.0])
    _, (truth, predicted), _ = drawn(frame, found)
    expected = matplotlib.colors.to_rgba_array(list(class_colours(CLASSES).values()))[:, :3]
    np.testing.assert_allclose(truth.get_facecolor()[:, :3], expected)
    np.testing.assert_allclose(predicted.get_edgecolor()[:, :3], expected)
    opacity = predicted.get_edgecolor()[:, 3]
    assert (np.diff(opacity) > 0).all()
    assert opacity[-1] == 1


def test_legend_names_classes_and_predictions_only_where_there_are_some():
    frame, found = fake_frame()
    for detections in (None, found):
        ax, _, _ = drawn(frame, detections)
        texts = [t.get_text() for t in ax.get_legend().get_texts()]
        assert set(CLASSES) < set(texts)
        assert any("predicted" in t for t in texts) == (detections is not None)


def test_top_points_keeps_the_highest_of_each_cell_like_a_loop_would():
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-1, 1, (3000, 2)), rng.normal(size=3000), rng.uniform(size=3000)])
    points[5] = np.nan
    best = {}
    for x, y, z, _ in points[np.isfinite(points).all(1)]:
        key = (np.floor(x / CELL), np.floor(y / CELL))
        if key not in best or z > best[key][2]:
            best[key] = (x, y, z)
    found = top_points(points)
    assert sorted(map(tuple, found)) == sorted(best.values())
    assert (np.diff(found[:, 2]) >= 0).all()


def test_empty_frames_can_be_drawn():
    empty = Frame("e", np.zeros((0, 4), np.float32))
    nothing = Detections(np.zeros((0, 7)), np.zeros(0), np.zeros(0, np.int64))
    ax, polygons, _ = drawn(empty, nothing)
    assert polygons == []
    assert np.isfinite(ax.get_xlim()).all()


@pytest.mark.parametrize(
    ("boxes", "label", "text"), [(np.ones((1, 4)), 0, r"\(1, 4\)"), (np.ones((1, 7)), 3, r"outside 0\.\.2")]
)
def test_wrong_detections_are_refused_by_frame(boxes, label, text):
    frame, _ = fake_frame("000777")
    with pytest.raises(ValueError, match=f"000777.*{text}"):
        drawn(frame, Detections(boxes, np.ones(1), np.array([label])))


def test_pictures_are_png_files_with_something_on_them(tmp_path):
    frame, found = fake_frame()
    write_frame(tmp_path / "one.png", frame, found, CLASSES)
    title = "$no math & <tag>"
    draw_picks([(frame, found if i % 2 else None, title) for i in range(11)], tmp_path / "new" / "picks.png", CLASSES)
    for path in (tmp_path / "one.png", tmp_path / "new" / "picks.png"):
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        image = imread(path)[..., :3]
        assert image.std() > 0.02
        blue = np.array(matplotlib.colors.to_rgb(class_colours(CLASSES)["Car"]))
        assert (np.abs(image - blue).max(-1) < 0.02).sum() > 20
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["picks.png"]


def test_no_picks_write_nothing(tmp_path):
    draw_picks([], tmp_path / "picks.png", CLASSES)
    assert list(tmp_path.iterdir()) == []


def test_pyplot_is_left_alone(tmp_path):
    before = matplotlib.pyplot.get_fignums() if "matplotlib.pyplot" in sys.modules else []
    write_frame(tmp_path / "one.png", *fake_frame(), CLASSES)
    after = matplotlib.pyplot.get_fignums() if "matplotlib.pyplot" in sys.modules else []
    assert after == before
