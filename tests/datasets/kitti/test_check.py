import numpy as np
import pytest

from kecor.datasets.kitti.check import check_dataset, summary, usable
from kecor.datasets.kitti.set_warnings import set_warnings
from kecor.errors import DataError
from tests.datasets.small_set import cloud, write_set


def training(root, folder, frame_id):
    suffix = "bin" if folder == "velodyne" else "txt"
    return root / "training" / folder / f"{frame_id}.{suffix}"


def truncate(root):
    path = training(root, "velodyne", "a1")
    path.write_bytes(path.read_bytes()[:-3])


def all_nan(root):
    np.full((5, 4), np.nan, np.float32).tofile(training(root, "velodyne", "a1"))


def some_nan(root):
    points = cloud(1)
    points[[3, 9], 0] = np.nan, np.inf
    points.tofile(training(root, "velodyne", "a1"))


def fourteen_fields(root):
    path = training(root, "label_2", "a1")
    path.write_text(path.read_text().replace(" 0.30\n", "\n"))


def no_transform(root):
    path = training(root, "calib", "a1")
    path.write_text("".join(x for x in path.read_text().splitlines(True) if not x.startswith("Tr_velo")))


def no_size(root):
    path = training(root, "label_2", "a1")
    path.write_text(path.read_text().replace("1.80 0.60 0.80", "0 0 0"))


def wrong_id(root):
    with (root / "ImageSets" / "val.txt").open("a") as stream:
        stream.write("zz\n")


def twice(root):
    with (root / "ImageSets" / "val.txt").open("a") as stream:
        stream.write("b0\n")


@pytest.mark.parametrize(
    ("spoil", "frame", "words", "action"),
    [
        (lambda root: training(root, "velodyne", "a1").unlink(), "a1", "velodyne/a1.bin: cannot", "frame excluded"),
        (truncate, "a1", "velodyne/a1.bin: truncated", "frame excluded"),
        (all_nan, "a1", "velodyne/a1.bin: none of its 5 points", "frame excluded"),
        (some_nan, "a1", "velodyne/a1.bin: 2 of 400 points are not finite", "points dropped"),
        (fourteen_fields, "a1", "label_2/a1.txt:3: 14 fields", "not labelled until it is corrected"),
        (no_transform, "a1", "calib/a1.txt: no Tr_velo_to_cam", "frame excluded"),
        (no_size, "a1", "label_2/a1.txt: object 3 (Pedestrian) has no size", "objects dropped"),
        (wrong_id, "zz", "zz: is in a split list but has no file", "frame excluded"),
        (twice, "b0", "val.txt: b0 is listed 2 times", "not mended: edit the list"),
    ],
)
def test_each_fault_is_named_with_what_is_done_about_it(tmp_path, spoil, frame, words, action):
    root = write_set(tmp_path / "set")
    spoil(root)
    index = check_dataset(root, progress=False)
    (problem,) = index["problems"]
    assert words in problem["problem"]
    assert (problem["frame"], problem["action"]) == (frame, action)
    excluded = {frame} if action == "frame excluded" else set()
    assert set(usable(index)) == {"a0", "a1", "a2", "b0"} - excluded


def test_a_sound_set_has_no_problems_and_right_counts(tmp_path):
    index = check_dataset(write_set(tmp_path / "set"), progress=False)
    assert index["problems"] == []
    assert index["splits"] == {"train": ["a0", "a1", "a2"], "val": ["b0"]}
    entry = {"points": 400, "boxes": {"Car": 1, "Pedestrian": 1}, "image_size": [1242, 375], "actions": []}
    assert index["frames"] == dict.fromkeys(["a0", "a1", "a2", "b0"], entry)


def test_counts_leave_out_what_is_dropped(tmp_path):
    root = write_set(tmp_path / "set")
    some_nan(root)
    no_size(root)
    entry = check_dataset(root, progress=False)["frames"]["a1"]
    assert entry["points"] == 398
    assert entry["boxes"] == {"Car": 1}
    assert entry["actions"] == ["objects dropped", "points dropped"]


def test_every_fault_of_a_frame_is_named(tmp_path):
    root = write_set(tmp_path / "set")
    truncate(root)
    fourteen_fields(root)
    no_transform(root)
    assert len(check_dataset(root, progress=False)["problems"]) == 3


def test_a_set_without_a_label_folder_is_unlabelled(tmp_path):
    root = write_set(tmp_path / "set")
    for path in (root / "training" / "label_2").iterdir():
        path.unlink()
    (root / "training" / "label_2").rmdir()
    index = check_dataset(root, progress=False)
    assert index["problems"] == []
    assert len(usable(index, "train")) == 3


def test_the_test_list_is_not_looked_for_in_training(tmp_path):
    root = write_set(tmp_path / "set")
    (root / "ImageSets" / "test.txt").write_text("000007\n")
    index = check_dataset(root, progress=False)
    assert index["problems"] == []
    assert "test" not in index["splits"]


def test_a_folder_without_lists_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no split list"):
        check_dataset(tmp_path, progress=False)


def test_the_summary_has_a_line_a_split(tmp_path):
    root = write_set(tmp_path / "set")
    truncate(root)
    lines = summary(check_dataset(root, progress=False)).splitlines()
    assert lines[0].split() == ["split", "frames", "usable", "points/frame", "Car", "Pedestrian"]
    assert lines[2].split() == ["train", "3", "2", "400", "2", "2"]
    assert lines[3].split() == ["val", "1", "1", "400", "1", "1"]


def test_a_frame_without_a_label_file_is_kept_and_mentioned(tmp_path):
    root = write_set(tmp_path / "set")
    training(root, "label_2", "a1").unlink()
    (root / "ImageSets" / "empty.txt").write_text("\n")
    index = check_dataset(root, progress=False)
    assert index["problems"] == []
    assert usable(index) == ["a0", "a1", "a2", "b0"]
    empty, unlabelled = set_warnings(root, index)
    assert "empty.txt: lists no frame" in empty
    assert "1 of 4 frames have no label file, such as a1" in unlabelled
