"""Every pick in the report: picture, 3D view, reasons, neighbours, and what annotators changed."""

import base64
import dataclasses
import gzip
import json
import re
import shutil

import numpy as np
import pytest

from kecor.errors import DataError
from kecor.visualization.frame_map import principal_plane
from kecor.visualization.html import SCRIPT
from kecor.visualization.palette import VIEW_COLOURS, class_colours
from kecor.visualization.pick_views import MAX_POINTS, read_view, thin
from kecor.visualization.report import update_report
from kecor.visualization.run_folder import read_run
from tests.visualization.fake_run import CLASSES, FakeFrames, fake_frame, write_run
from tests.visualization.test_report import Page, images


@pytest.fixture(scope="module")
def folder(drawn_run):
    return drawn_run


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def row_of(page, frame_id):
    (row,) = (row for row in page.rows if len(row) > 4 and row[1] == frame_id)
    header = next(row for row in page.rows if row[:2] == ["Pick", "Frame"])
    return dict(zip(header, row))


def test_every_bought_pick_has_its_picture_loaded_lazily(folder, page):
    text = (folder / "report.html").read_text()
    assert len(images(page)) == 26, "the curve, the kernel, 20 picks and their 4 neighbours"
    for i in range(20):
        data = base64.b64encode((folder / f"round_00/picks/0{i:05d}.png").read_bytes()).decode()
        assert data in text
        assert f'id="pick-0{i:05d}"' in text
    assert text.count('<img loading="lazy" alt="') == 26
    assert "Frame 000003 from above; true boxes: 1 Car, 1 Cyclist, 1 Pedestrian" in text


def test_a_view_holds_the_frame_and_only_confident_boxes(folder):
    record = read_run(folder).rounds[0]
    for frame_id in ("000001", "000007"):
        view = read_view(record, frame_id)
        frame, found = FakeFrames().read(frame_id), fake_frame(frame_id, 3, int(frame_id))[1]
        np.testing.assert_allclose(np.array(view["points"]).T / 100, frame.points[:, :3], atol=0.00501)
        np.testing.assert_allclose([row[1:] for row in view["true"]], frame.boxes, atol=5.1e-4)
        assert [row[0] for row in view["true"]] == frame.names.tolist()
        np.testing.assert_allclose([row[8] for row in view["predicted"]], found.scores[found.scores >= 0.3], atol=1e-3)
    assert read_view(record, "000001")["prelabels"] == [["Car", 10, 1, -1, 4, 2, 1.5, 0.5]]
    assert read_view(record, "000002")["prelabels"] is None
    kept = [len(read_view(record, f"0{i:05d}")["predicted"]) for i in range(20)]
    assert 0 < sum(kept) < 60, "scores lie on both sides of 0.3"


def test_the_page_holds_the_views_and_the_library_packed(folder):
    text = (folder / "report.html").read_text()
    for name, expected in (("view-000004", b'{"true":'), ("plotly", b"plotly.js")):
        packed = text.split(f'<script type="text/plain" id="{name}">')[1].split("<")[0]
        assert expected in gzip.decompress(base64.b64decode(packed, validate=True))[:300]


def test_the_table_says_why(page):
    row = row_of(page, "000004")
    assert (row["Gain"], row["Coding rate"], row["Entropy"]) == ("2.056", "1.806", "0.250")
    assert row["Nearest labelled"] == "900001", "4 lies nearer to 3.4 than to 6.4"
    assert row_of(page, "000005")["Nearest labelled"] == "900002"
    assert row_of(page, "000019")["Nearest labelled"] == "900003"
    assert (row["True boxes"], row["Kept"]) == ("0", "–")  # noqa: RUF001
    changed = row_of(page, "000001")
    assert [changed[k] for k in ("Kept", "Moved", "Renamed", "Deleted", "Added")] == ["2", "1", "0", "4", "3"]
    assert "Not labelled, back in the pool: 000077." in page.text


def test_terms_that_are_not_those_of_the_picks_are_left_out(tmp_path):
    other = write_run(tmp_path, n_rounds=2, pool=True)
    path = other / "round_00/selection.json"
    record = json.loads(path.read_text())
    record["info"]["rate_gains"][3] += 0.1
    path.write_text(json.dumps(record))
    text = Page(update_report(other).read_text()).rows
    assert ["Pick", "Frame", "Gain", "Predicted boxes", "True boxes", "Nearest labelled"] in text


def test_links_lead_to_parts_of_the_page(folder, page):
    text = (folder / "report.html").read_text()
    targets = [url[1:] for url in page.urls if url.startswith("#")]
    assert {"curve", "rounds", "round-0", "round-1", "meaning", "files", "pick-000000", "pick-900001"} <= set(targets)
    assert all(text.count(f' id="{target}"') == 1 for target in targets)


def test_neighbours_of_the_start_have_pictures_too(folder, page):
    drawn = sorted(path.name for path in (folder / "initial/picks").glob("*.png"))
    assert drawn == [f"90000{j}.png" for j in range(4)]
    assert "Nearest frames of the start" in page.text


def test_the_map_holds_every_frame(folder):
    value = json.loads((folder / "round_00/frame_map.json").read_text())
    assert [value["kinds"].count(kind) for kind in ("pool", "labelled", "picked")] == [10, 4, 20]
    xy = np.array(value["xy"])
    assert value["share"] == pytest.approx(1), "all frames lie on a line"
    steps = np.diff(xy[:30, 0])
    np.testing.assert_allclose(steps, steps[0], atol=2e-3)
    assert (folder / "report.html").read_text().count("<circle") == 34


def test_the_plane_is_that_of_the_covariance():
    rows = np.random.default_rng(0).normal(size=(50, 4)) * (1, 5, 2, 0.1)
    rows -= rows.mean(0)
    xy, share = principal_plane(rows)
    sizes = np.sort(np.linalg.eigvalsh(rows.T @ rows))[::-1]
    np.testing.assert_allclose((xy**2).sum(0), sizes[:2])
    assert share == pytest.approx(sizes[:2].sum() / sizes.sum())
    assert abs(np.corrcoef(xy[:, 0], rows[:, 1])[0, 1]) > 0.99


def test_sweeps_are_thinned_evenly():
    points = np.column_stack([np.arange(50_000.0)] * 4)
    points[7] = np.nan
    few = thin(points)
    assert few.shape == (MAX_POINTS, 3)
    assert few[0, 0] == 0
    assert few[-1, 0] == 49_999
    assert set(np.diff(few[100:, 0])) == {3.0, 4.0}
    assert len(thin(points[:10])) == 9


def test_picks_at_the_annotators_are_drawn_without_their_labels(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "run")
    path, picks = folder / "round_00/selection.json", folder / "round_00/picks"
    record = json.loads(path.read_text())
    record["true_boxes"][1] = None
    path.write_text(json.dumps(record | {"true_boxes": [*record["true_boxes"][:5], *[None] * 15]}))
    picture = (picks / "000007.png").read_bytes()

    class Frames(FakeFrames):
        def read(self, frame_id):
            assert not may_not or int(frame_id) in (0, 2, 3, 4) or frame_id[0] == "9", "its labels are not there"
            return fake_frame(frame_id, int(frame_id) % 4, int(frame_id))[0]

        def read_unlabelled(self, frame_id):
            frame = fake_frame(frame_id, 1, int(frame_id))[0]
            return dataclasses.replace(frame, boxes=np.zeros((0, 7), np.float32), names=np.zeros(0, "<U1"))

    may_not = True
    page = Page(update_report(folder, Frames()).read_text())
    assert len(images(page)) == 26
    assert page.text.count("true: not labelled yet") == 16
    assert "; the 4 labelled so far hold 5 boxes." in page.text
    view = read_view(read_run(folder).rounds[0], "000007")
    assert view["true"] is None
    assert view["predicted"]
    assert (picks / "000007.png").read_bytes() != picture, "true boxes are gone from the picture"
    may_not = False
    path.write_text(json.dumps(record))
    page = Page(update_report(folder, Frames()).read_text())
    assert page.text.count("true: not labelled yet") == 1
    assert (picks / "000007.png").read_bytes() == picture


def test_a_frame_that_is_picked_twice_is_shown_once(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "run")
    record = json.loads((folder / "round_00/selection.json").read_text())
    first = record | {"true_boxes": [None, *record["true_boxes"][1:]]}
    (folder / "round_00/selection.json").write_text(json.dumps(first))
    again = {"ids": ["000000"], "method": "kecor", "true_boxes": [0]}
    (folder / "round_01/selection.json").write_text(json.dumps(again))
    text = update_report(folder, FakeFrames()).read_text()
    assert text.count('id="pick-000000"') == 1
    assert text.index('id="round-1"') < text.index('id="pick-000000"')


def test_the_legend_names_every_colour(folder, page):
    text = (folder / "report.html").read_text()
    script = SCRIPT.read_text()
    start = text.index("Legend of the pictures")
    shown = text[start : text.index("</ul>", text.index("Legend of the 3D views"))]
    for name, colour in (class_colours(CLASSES) | VIEW_COLOURS).items():
        assert re.search(f'style="color:{colour}"></span>{name}</li>', shown), name
    for name, colour in VIEW_COLOURS.items():
        assert f'boxTrace("{name}"' in script
        assert colour.lower() in re.search(f'boxTrace\\("{name}".*', script)[0]
    assert ">true box<" in shown
    assert ">predicted box (fainter: less sure)<" in shown


def test_only_frames_with_corrected_labels_are_drawn_again(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "run")
    read = []

    class Frames(FakeFrames):
        def read(self, frame_id):
            read.append(frame_id)
            frame = super().read(frame_id)
            frame.boxes[:, 0] += moved.get(frame_id, 0)
            return frame

        def read_labels(self, frame_id):
            frame = super().read(frame_id)
            return frame.boxes + np.float32([moved.get(frame_id, 0), 0, 0, 0, 0, 0, 0]), frame.names

    moved = {}
    update_report(folder, Frames())
    assert read == []
    moved["000003"] = 1.5
    update_report(folder, Frames())
    assert read == ["000003"]


def test_a_damaged_view_is_named(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "run")
    (folder / "round_00/picks/000002.json.gz").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"000002\.json\.gz.*remove it"):
        update_report(folder)
