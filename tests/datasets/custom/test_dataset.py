import json
import pickle
import warnings

import numpy as np
import pytest

from kecor.datasets.custom import CustomDataset, write_custom_set
from kecor.errors import ConfigError, DataError
from kecor.registry import DATASETS
from tests.datasets.custom.worlds import site, sites
from tests.shared import shared_data

CLASSES = ["Car", "Walker"]


@pytest.mark.parametrize("form", ["bin", "npy", "pcd"])
def test_what_is_written_is_read(tmp_path, form):
    frames = [site(0, "drive_1/000"), site(1, "drive_1/001"), site(2, "drive_2/000", cars=0, walkers=0)]
    poses = {f.frame_id: np.eye(4) + k for k, f in enumerate(frames)}
    times = {f.frame_id: 1.7e9 + 0.1 * k for k, f in enumerate(frames)}
    splits = {"train": ["drive_1/001", "drive_1/000"], "val": ["drive_2/000"]}
    write_custom_set(tmp_path, iter(frames), splits, form, poses=poses, timestamps=times)
    dataset = CustomDataset(tmp_path, "train", CLASSES)
    assert dataset.ids == splits["train"]
    assert len(dataset) == 2
    for frame in frames:
        read = dataset.read(frame.frame_id)
        np.testing.assert_array_equal(read.points, frame.points)
        np.testing.assert_allclose(read.boxes, frame.boxes, atol=6e-5)
        assert read.names.tolist() == frame.names.tolist()
        boxes, names = dataset.read_labels(frame.frame_id)
        np.testing.assert_array_equal(boxes, read.boxes)
        assert names.tolist() == read.names.tolist()
        assert read.points.dtype == read.boxes.dtype == np.float32
        np.testing.assert_array_equal(dataset.pose(frame.frame_id), poses[frame.frame_id][:3])
        assert dataset.timestamp(frame.frame_id) == pytest.approx(times[frame.frame_id], abs=1e-9)
    assert dataset.sequence("drive_1/001") == "drive_1"
    assert CustomDataset(tmp_path, "val", CLASSES).ids == ["drive_2/000"]


def test_the_sample_of_openpcdet_s_tutorial():
    root = shared_data("labelling", "openpcdet_custom")
    for split, frame_id in (("train", "000114"), ("val", "000289")):
        expected = json.loads((root / f"{frame_id}.expected.json").read_text())["boxes"]
        dataset = CustomDataset(root, split, ["Car", "Pedestrian", "Cyclist", "Van"])
        assert dataset.ids == [frame_id]
        frame = dataset.read(frame_id)
        np.testing.assert_allclose(frame.boxes, [box["box"] for box in expected], atol=1e-4)
        assert frame.names.tolist() == [box["name"] for box in expected]
        np.testing.assert_array_equal(frame.points, np.load(root / "points" / f"{frame_id}.npy"))
        cars = CustomDataset(root, split, ["Car"]).read(frame_id)
        assert set(cars.names) == {"Car"}
        assert len(cars.boxes) + len(cars.meta["obstacles"]) == len(expected)


def test_without_labels_frames_are_pool(tmp_path):
    write_custom_set(tmp_path, sites(4), {"val": ["003"]}, unlabelled=["001"])
    (tmp_path / "labels" / "002.txt").write_text("")
    dataset = CustomDataset(tmp_path, "train", CLASSES)
    assert dataset.ids == ["000", "001", "002"]
    assert [dataset.is_labelled(i) for i in dataset.ids] == [True, False, True]
    assert len(dataset.read("001", labels=False).boxes) == 0
    with pytest.raises(DataError, match="frame 001: is not labelled"):
        dataset.read("001")
    assert dataset.read("002").boxes.shape == (0, 7)
    (tmp_path / "labels" / "001.txt").write_text("1 2 3 4 5 6 0 Car\n")
    assert CustomDataset(tmp_path, "train", CLASSES).ids == dataset.ids
    assert dataset.is_labelled("001")


def test_lists_decide_and_the_rest_is_pool(tmp_path):
    write_custom_set(tmp_path, sites(6), {"train": ["004", "001"], "val": ["003"], "test": ["005"]})
    assert CustomDataset(tmp_path, "train", CLASSES).ids == ["004", "001", "000", "002"]
    (tmp_path / "ImageSets" / "unlabelled.txt").write_text("002\n")
    assert CustomDataset(tmp_path, "train", CLASSES).ids == ["004", "001", "002"]
    (tmp_path / "ImageSets" / "unlabelled.txt").write_text("")
    assert CustomDataset(tmp_path, "train", CLASSES).ids == ["004", "001"]
    assert CustomDataset(tmp_path, "test", CLASSES).ids == ["005"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("../../etc/passwd\n", r"val.txt:1: '../../etc/passwd' is no frame id"),
        ("/000\n", "no frame id"),
        ("a/b/000\n", "no frame id"),
        ("..\n", "no frame id"),
        ("./000\n", "no frame id"),
        ("a\\000\n", "no frame id"),
        ("000\n000\n", "more than once"),
        ("000.bin\n", "has no cloud"),
    ],
)
def test_ids_that_are_none_are_refused(tmp_path, text, says):
    write_custom_set(tmp_path, sites(1), {"val": []})
    (tmp_path / "ImageSets" / "val.txt").write_text(text)
    with pytest.raises(DataError, match=says):
        CustomDataset(tmp_path, "val", CLASSES)
    dataset = CustomDataset(write(tmp_path / "b"), "train", CLASSES)
    with pytest.raises(DataError, match="there is no frame"):
        dataset.read(text.strip())


def write(root):
    write_custom_set(root, sites(1))
    return root


def test_missing_folders_and_lists_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        CustomDataset(tmp_path / "none", "train", CLASSES)
    (tmp_path / "points").mkdir()
    with pytest.raises(DataError, match="holds no cloud"):
        CustomDataset(tmp_path, "train", CLASSES)
    write_custom_set(tmp_path, sites(1), {"test": ["000"]})
    with pytest.raises(DataError, match=r"val.txt: no such list \(there are: test\)"):
        CustomDataset(tmp_path, "val", CLASSES)
    write_custom_set(tmp_path, sites(1), form="npy")
    with pytest.raises(DataError, match="has two clouds"):
        CustomDataset(tmp_path, "train", CLASSES)


def test_texts_with_a_byte_order_mark_and_carriage_returns(tmp_path):
    write_custom_set(tmp_path, sites(2), {"val": ["001"]})
    for path in (tmp_path / "ImageSets" / "val.txt", tmp_path / "labels" / "001.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    dataset = CustomDataset(tmp_path, "val", CLASSES)
    assert dataset.ids == ["001"]
    np.testing.assert_allclose(dataset.read("001").boxes, site(1).boxes, atol=6e-5)


@pytest.mark.parametrize(("highest", "scale"), [(1.0, 1.0), (255.0, 255.0), (5600.0, 5600.0), (0.0, 0.0)])
def test_intensity_is_brought_to_0_1(tmp_path, highest, scale):
    frames = sites(3)
    for frame in frames:
        frame.points[:, 3] *= highest
    write_custom_set(tmp_path, frames)
    dataset = CustomDataset(tmp_path, "train", CLASSES)
    assert dataset.scale == pytest.approx(scale, rel=0.02)
    read = dataset.read("001").points[:, 3]
    assert read.max() <= 1
    np.testing.assert_allclose(read, np.clip(frames[1].points[:, 3] / (dataset.scale or 1), 0, 1), rtol=1e-6)
    assert CustomDataset(tmp_path, "train", CLASSES, intensity=0).read("000").points[:, 3].max() == 0


def test_further_columns_follow_x_y_z_intensity(tmp_path):
    frame = site(0)
    frame.points = np.column_stack([frame.points[:, :3], np.arange(6000), frame.points[:, 3]]).astype(np.float32)
    names = ["x", "y", "z", "ring", "intensity"]
    for form in ("bin", "pcd"):
        root = tmp_path / form
        write_custom_set(root, [frame], form=form, columns=names)
        dataset = CustomDataset(root, "train", CLASSES, columns=names)
        assert dataset.n_features == 5
        np.testing.assert_array_equal(dataset.read("000").points, frame.points[:, [0, 1, 2, 4, 3]])


def test_labels_in_another_reading(tmp_path):
    frame = site(0)
    written = frame.boxes.astype(np.float64)
    written[:, 2] -= written[:, 5] / 2
    written[:, 6] = -np.rad2deg(written[:, 6])
    write_custom_set(tmp_path, [frame])
    rows = [" ".join(map(str, box)) + f" {name}\n" for box, name in zip(written.tolist(), frame.names)]
    (tmp_path / "labels" / "000.txt").write_text("".join(rows))
    dataset = CustomDataset(tmp_path, "train", CLASSES, label_reading=["bottom", "degrees", "clockwise"])
    np.testing.assert_allclose(dataset.read("000").boxes, frame.boxes, atol=1e-5)


def test_nearly_spelt_classes_are_named_once(tmp_path):
    write_custom_set(tmp_path, sites(2))
    dataset = CustomDataset(tmp_path, "train", ["car", "Walker"])
    with pytest.warns(UserWarning, match="'Car' are left out; the nearest class is 'car'"):
        dataset.read("000")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset.read("001")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"columns": ["x", "y"]}, "data.columns"),
        ({"columns": ["x", "y", "z", "z"]}, "data.columns"),
        ({"columns": "xyz"}, "data.columns"),
        ({"columns": [1, 2, 3]}, "data.columns"),
        ({"intensity": "loud"}, "data.intensity"),
        ({"intensity": -1}, "data.intensity"),
        ({"intensity": float("nan")}, "data.intensity"),
        ({"intensity": True}, "data.intensity"),
        ({"label_reading": ["sideways"]}, "data.label_reading"),
    ],
)
def test_impossible_options_name_their_key(tmp_path, keys, says):
    write_custom_set(tmp_path, sites(1))
    with pytest.raises(ConfigError, match=says):
        CustomDataset(tmp_path, "train", CLASSES, **keys)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("timestamps.txt", "0.1\n0.2\n0.3\n", "3 lines for 2 frames"),
        ("timestamps.txt", "000 zero\n", "timestamps.txt:1"),
        ("timestamps.txt", "000 nan\n", "not finite"),
        ("poses.txt", "1 2 3\n1 2 3\n", "12 numbers"),
    ],
)
def test_faulty_times_and_poses_are_named(tmp_path, name, text, says):
    write_custom_set(tmp_path, sites(2))
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=says):
        CustomDataset(tmp_path, "train", CLASSES)


def test_times_without_ids_are_of_the_frames_in_order(tmp_path):
    write_custom_set(tmp_path, sites(2))
    dataset = CustomDataset(tmp_path, "train", CLASSES)
    assert dataset.sequence("000") is dataset.timestamp("000") is dataset.pose("000") is None
    (tmp_path / "timestamps.txt").write_text("0.5\n0.75\n")
    dataset = CustomDataset(tmp_path, "train", CLASSES)
    assert (dataset.sequence("001"), dataset.timestamp("001")) == ("", 0.75)


def test_it_is_registered_and_can_be_sent_to_workers(tmp_path):
    write_custom_set(tmp_path, sites(1))
    dataset = DATASETS.build({"type": "custom", "root": str(tmp_path), "split": "train", "classes": CLASSES})
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset)).read("000").points, site(0).points)


def test_frames_do_not_leave_the_folder_when_written(tmp_path):
    with pytest.raises(DataError, match="no frame id"):
        write_custom_set(tmp_path / "set", [site(0, "../../x")])
    assert list(tmp_path.iterdir()) == []
