import base64
import json
import re
from html.parser import HTMLParser

import pytest

from kecor.errors import DataError
from kecor.visualization.report import headline, update_report
from kecor.visualization.run_folder import number, read_run
from kecor.visualization.wording import KERNEL, counted, duration, info_rows
from tests.visualization.fake_run import kernel_info, write_run

VOID = {"meta", "img", "br", "hr", "link"}


class Page(HTMLParser):
    """Text, tables and attributes of a page; fails where a tag is closed that is not open."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.urls, self.text, self.rows = [], [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.urls += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def images(page):
    return [url for url in page.urls if url.startswith("data:")]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"), n_rounds=3, note="<script>alert('&')</script>")


@pytest.fixture(scope="module")
def report(run_folder):
    return Page(update_report(run_folder).read_text(encoding="utf-8"))


def test_the_page_is_whole_in_one_file(run_folder, report):
    text = (run_folder / "report.html").read_text(encoding="utf-8")
    pictures = [url for url in report.urls if not url.startswith("#")]
    assert all(url.startswith("data:image/png;base64,") for url in pictures)
    for foreign in ("http:", "https:", "//cdn", "@import", "url(", "<script src"):
        assert foreign not in re.sub(r"base64,[^\"]*", "", text)
    content = [base64.b64decode(url.partition(",")[2], validate=True) for url in pictures]
    assert content == [(run_folder / name).read_bytes() for name in ("curve.png", "kernel.png")]
    assert "prefers-color-scheme: dark" in text


def test_text_of_a_run_is_escaped(report):
    assert report.tags.count("script") == 1, "that of the page itself"
    assert ["note", "<script>alert('&')</script>", "–"] in report.rows  # noqa: RUF001


def test_the_headline_says_it_in_one_sentence(run_folder):
    run = read_run(run_folder)
    text = headline(run, n_frames=4000)
    assert text == (
        "kecor (seed 7) has labelled 60 of 4,000 frames, 280 boxes, in 2 rounds of selection; 3D AP in percent went "
        "for Car from 61.3 to 76.3, for Pedestrian from 41.3 to 56.3, for Cyclist from – to 36.3."  # noqa: RUF001
    )


def test_the_rounds_and_picks_stand_in_tables(report):
    assert ["1", "40 (+20)", "190 (+90)", "40", "68.8", "71.8", "80.8"] in [row[:7] for row in report.rows]
    assert ["0", "20 (+20)", "100 (+100)", "20"] in [row[:4] for row in report.rows]
    assert ["0", "1 min 04 s", "7.0 s", "10.5 s", "14.0 s", "17.5 s"] in report.rows
    for k in (0, 1):
        for i in (0, 7, 8, 19):
            assert [str(i + 1), f"{k}{i:05d}", f"{2.5 - i / 9:.3f}", str(2 + i % 7)] in report.rows
    predicted = sum(2 + i % 7 for i in range(20))
    assert f"it predicted {predicted} boxes; labelled, they hold 90 boxes." in report.text


def test_the_numbers_of_the_selection_are_named(report):
    values = {row[0]: row[1] for row in report.rows if len(row) == 3}
    assert values["Coding-rate term, all picks"] == "31.84"
    assert values["Entropy term, all picks"] == "12.5"
    assert values["Overlap with top-entropy"] == "0.35"
    assert values["Proxy loss after the fit"] == "0.0625"
    assert values["my list"] == "30 values, 0 to 29"


def test_the_numbers_of_the_kernel_are_named_and_its_probe_is_left_out(report):
    values = {row[0]: row[1] for row in report.rows if len(row) == 3}
    expected = kernel_info(1)["diagnostics"]
    assert values["Kernel: effective dimension"] == f"{expected['effective_dimension']:.4g}"
    assert values["Kernel: change since the last round"] == f"{expected['drift']:.4g}"
    assert values["Kernel: posterior variance after"] == "0.112"
    assert values["Kernel: eigenvalue shares"].startswith("32 values, ")
    assert len(values["Kernel: targets in leading directions"].split(", ")) == 8
    assert values["Proxy loss during the fit"].startswith("50 values, ")
    assert all(row[2] != "–" for row in report.rows if len(row) == 3 and row[0].startswith("Kernel"))  # noqa: RUF001
    assert not any("probe" in row[0] for row in report.rows)
    assert "Kernel of the selection" in report.text
    assert all(term in report.text for term, _ in KERNEL)
    assert "kernel.png" in report.text


def test_a_method_without_a_kernel_has_no_such_part(tmp_path):
    folder = write_run(tmp_path, n_rounds=2, method="random")
    page = Page(update_report(folder).read_text(encoding="utf-8"))
    assert len(images(page)) == 1
    assert "Kernel of the selection" not in page.text
    assert not (folder / "kernel.png").exists()


def test_a_kecor_run_from_before_there_were_diagnostics_has_no_such_part(tmp_path):
    folder = write_run(tmp_path, n_rounds=3)
    for k in range(2):
        path = folder / f"round_0{k}/selection.json"
        record = json.loads(path.read_text())
        del record["info"]["diagnostics"], record["info"]["proxy_losses"]
        path.write_text(json.dumps(record))
    page = Page(update_report(folder).read_text(encoding="utf-8"))
    assert len(images(page)) == 1
    assert ["Coding-rate term, all picks", "31.84"] in [row[:2] for row in page.rows]


def test_ap_by_difficulty_is_there_behind_a_line_that_opens(report):
    assert report.tags.count("details") >= 3
    line = ["73.1", "54.4", "–", "71.2", "52.5", "41.0"]  # noqa: RUF001
    assert report.rows.count(["Car", "BEV", *line]) == 2 * 3, "strict and loose overlaps in each of three rounds"


@pytest.mark.parametrize("method", ["random", "<b>odd & method</b>"])
def test_a_run_in_its_first_round_has_a_report(tmp_path, method):
    folder = write_run(tmp_path, n_rounds=1, method=method)
    for name in ("config.yaml", "round_00/metrics.json"):
        (folder / name).unlink()
    text = update_report(folder).read_text(encoding="utf-8")
    page = Page(text)
    assert f"{method} (seed 7) has labelled 20 frames, 100 boxes, for the first detector" in page.text
    assert "Cyclist –" in page.text  # noqa: RUF001
    assert "<b>odd" not in text
    assert len(images(page)) == 1


def test_a_selection_without_predictions_and_one_with_true_boxes(tmp_path):
    folder = write_run(tmp_path, n_rounds=2)
    path = folder / "round_00/selection.json"
    plain = json.loads(path.read_text()) | {"predicted_boxes": None, "info": {}}
    path.write_text(json.dumps(plain))
    page = Page(update_report(folder).read_text(encoding="utf-8"))
    assert "picked 20 frames; labelled, they hold 90 boxes." in page.text
    path.write_text(json.dumps(plain | {"true_boxes": [3] * 20}))
    page = Page(update_report(folder).read_text(encoding="utf-8"))
    assert ["1", "000000", "2.500", "3"] in page.rows
    assert "they hold 60 boxes." in page.text
    info = {"calibration": {"expected_mean": [4.0, 1.25], "true_mean": [4.0, 1.0], "correlation": 0.5}}
    bought = {"predicted_mean": 6.0, "true_mean": 3.0, "correlation": None}
    path.write_text(json.dumps(plain | {"info": info, "bought": bought}))
    text = Page(update_report(folder).read_text(encoding="utf-8")).text
    expected = "5.2 where 5.0 are true in the labelled frames (correlation 0.50); 6.0 where 3.0 are true in the picks."
    assert f"Expected boxes a frame: {expected}" in text


def test_the_state_tells_true_boxes_before_the_next_round_is_evaluated(tmp_path):
    folder = write_run(tmp_path, n_rounds=2)
    lines = (folder / "summary.csv").read_text().splitlines()
    (folder / "summary.csv").write_text("\n".join(lines[:2]) + "\n")
    (folder / "al_state.json").write_text(json.dumps({"boxes": [100, 77]}))
    page = Page(update_report(folder).read_text(encoding="utf-8"))
    assert "they hold 77 boxes." in page.text


def test_the_size_of_the_split_is_told_where_the_state_knows_it(tmp_path):
    folder = write_run(tmp_path / "run", n_rounds=2)
    (folder / "al_state.json").write_text(json.dumps({"n_frames": 123}))
    page = Page(update_report(folder).read_text(encoding="utf-8"))
    assert "has labelled 40 of 123 frames, 190 boxes, in 1 round of selection" in page.text


def test_a_folder_without_rounds_is_an_error_that_names_the_file(tmp_path):
    with pytest.raises(DataError, match=r"summary\.csv.*train_al"):
        update_report(tmp_path)
    (tmp_path / "summary.csv").write_text("round,frames,boxes\n")
    with pytest.raises(DataError, match=r"summary\.csv: holds no round"):
        update_report(tmp_path)
    (tmp_path / "summary.csv").write_text("round,frames,boxes\n0,20,many\n")
    with pytest.raises(DataError, match=r"summary\.csv:2: column 'boxes'.*'many'"):
        update_report(tmp_path)


def test_a_damaged_selection_is_an_error_that_names_the_file(tmp_path):
    folder = write_run(tmp_path, n_rounds=2)
    (folder / "round_00/selection.json").write_text('{"ids": [')
    with pytest.raises(DataError, match=r"round_00.selection\.json"):
        update_report(folder)


@pytest.mark.parametrize("damage", ['{"strict": {"Car": {"3d": {}}}}', '{"strict": 3}', '{"strict": {"Car": []}}'])
def test_a_damaged_result_is_an_error_that_names_the_file(tmp_path, damage):
    folder = write_run(tmp_path, n_rounds=2)
    (folder / "round_01/metrics.json").write_text(damage)
    with pytest.raises(DataError, match=r"round_01.metrics\.json: is damaged"):
        update_report(folder)


def test_numbers_in_words():
    assert [number(v) for v in ("", None, "nan", float("inf"), "3.5", 2)] == [None, None, None, None, 3.5, 2.0]
    assert [duration(s) for s in (4.24, 59.97, 185, 7800, None)] == [
        "4.2 s",
        "1 min 00 s",
        "3 min 05 s",
        "2 h 10 min",
        None,
    ]
    assert [counted(n, "box", "boxes") for n in (1, 0, 1234)] == ["1 box", "0 boxes", "1,234 boxes"]
    nested = info_rows({"fit": {"ok": True, "loss": float("nan")}, "k": 3}, {})
    assert info_rows({"probe": {"ids": ["a"], "gram": [[1.0]]}}, {}) == []
    assert info_rows({"probe": 3}, {}) == [["probe", "3", None]]
    assert nested == [["fit: ok", "yes", None], ["fit: loss", None, None], ["k", "3", None]]
