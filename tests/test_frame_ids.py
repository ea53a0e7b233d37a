from __future__ import annotations

import pytest

from kecor.errors import DataError
from kecor.frame_ids import check_frame_id, check_frame_name, ids_in, inside_folder

IDS = [
    "000001",
    "a",
    "scene_1/000003",
    "segment-10203656353524179475_7625_000_7645_000_with_camera_labels/0004",
    "n015-2018-07-24-11-22-45+0800__LIDAR_TOP__1532402927647951",
    "v1.0-mini",
    "Straße-7",
    "x" * 200,
]
LEAVING = ["../x", "..", "a/..", "/x", "../../tmp/x", "/etc/passwd", "..\\x", "a/../../b"]
BROKEN = ["a\nb", "a\x1b[31m", "a\0b", "a\x7f", "a\u2028b"]


@pytest.mark.parametrize("text", IDS)
def test_ids_of_known_data_sets_are_taken(text):
    assert check_frame_id(text, "train.txt:1") == check_frame_name(text, "pool.npz") == text


FOLDERS = ["", "a/b/c", "a//b", "a/", "/", ".", ".hidden", "a/.b", "a..b", "C:x", "C:\\x"]
SIGNS = ["a b", " a", "a*", "$HOME", "a;b", "~", "~root", "x" * 201, "ü" * 101, "a/" + "x" * 201]


@pytest.mark.parametrize("text", [*LEAVING, *BROKEN, *FOLDERS, *SIGNS])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(DataError, match=r"^train\.txt:7: .* is no frame id") as error:
        check_frame_id(text, "train.txt:7")
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("text", ["a b", "frame (3).bin", "day 2/cam:4/img_0001.jpg", "a..b", "ü" * 1000, "...", "~"])
def test_a_name_in_outputs_of_any_detector_may_be_looser(text):
    assert check_frame_name(text, "pool.npz: ids: row 3") == text


@pytest.mark.parametrize("text", [*LEAVING, *BROKEN, "C:\\x", "c:/x", "\\\\host\\x", "x" * 1001, "a\\..\\b"])
def test_a_name_that_is_dangerous_as_a_path_is_refused(text):
    with pytest.raises(DataError, match=r"^pool\.npz: ids: row 3: ") as error:
        check_frame_name(text, "pool.npz: ids: row 3")
    assert str(error.value).isprintable()


def test_files_stay_inside_their_folder(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    assert inside_folder(folder, "a/b.txt") == folder / "a" / "b.txt"
    assert inside_folder(folder, "x/../b.txt").resolve() == folder / "b.txt"
    (folder / "link").symlink_to(tmp_path)
    for name in ("../b.txt", "/b.txt", "", ".", "a/..", "../results2/b.txt", "link/b.txt", str(tmp_path / "b.txt")):
        with pytest.raises(DataError, match="lies outside"):
            inside_folder(folder, name)


def test_a_folder_may_itself_be_a_link_or_not_be_there_yet(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "real")
    assert inside_folder(tmp_path / "results", "b.txt") == tmp_path / "results" / "b.txt"
    assert inside_folder(tmp_path / "new", "b.txt") == tmp_path / "new" / "b.txt"


def test_ids_in_a_folder_are_those_of_its_files_one_level_down_too(tmp_path):
    for name in ("b.txt", "a.1.txt", "seq/a.txt", "seq/c.bin", "seq/deep/d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert ids_in(tmp_path) == {"b", "a.1", "seq/a"}
    assert ids_in(tmp_path, ".bin") == {"seq/c"}
    assert ids_in(tmp_path / "absent") == set()
