"""The converted data set, in both layouts."""

import pickle
import struct

import numpy as np
import pytest

from kecor.datasets.waymo import WaymoDataset, convert
from kecor.datasets.waymo.range_images import frame_points
from kecor.errors import ConfigError, DataError
from kecor.registry import DATASETS
from tests.datasets.waymo.segment import CLASSES, CONTEXT, frames, write_v1
from tests.shared import shared_data

IDS = [f"{CONTEXT}/{number:06d}" for number in range(4)]
FIRST = IDS[0]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The made-up segment, converted to each layout."""
    folder = tmp_path_factory.mktemp("waymo")
    write_v1(folder / "raw")
    for layout in ("kecor", "openpcdet"):
        convert(folder / "raw", folder / layout, layout, workers=1, progress=False)
    return folder


@pytest.fixture
def ours(tmp_path):
    """A copy of ours that a test may damage: its root and the segment's folder."""
    write_v1(tmp_path / "raw")
    convert(tmp_path / "raw", tmp_path / "out", workers=1, progress=False)
    return tmp_path / "out", tmp_path / "out" / "segments" / CONTEXT


@pytest.fixture
def theirs(tmp_path):
    """A copy of OpenPCDet's that a test may damage: its root and the segment's pickle."""
    write_v1(tmp_path / "raw")
    convert(tmp_path / "raw", tmp_path / "out", "openpcdet", workers=1, progress=False)
    return tmp_path / "out", next((tmp_path / "out").rglob("*.pkl"))


@pytest.mark.parametrize("layout", ["kecor", "openpcdet"])
def test_both_layouts_give_the_same_frames(prepared, layout):
    dataset = DATASETS.build({"type": "waymo", "root": prepared / layout, "split": "train", "classes": CLASSES})
    assert (dataset.ids, len(dataset), dataset.n_features, dataset.metric) == (IDS, 4, 5, "waymo")
    for frame_id, raw in zip(IDS, frames()):
        frame = dataset.read(frame_id)
        points = frame_points(raw)[0]
        points = points[points[:, 5] == -1]
        assert frame.points.dtype == np.float32
        assert np.array_equal(frame.points[:, [0, 1, 2, 4]], points[:, [0, 1, 2, 4]])
        np.testing.assert_allclose(frame.points[:, 3], np.tanh(points[:, 3].astype(float)), atol=1e-6)
        assert frame.names.tolist() == ["Vehicle", "Pedestrian", "Cyclist"]
        np.testing.assert_allclose(frame.boxes, raw.labels["box"][[0, 1, 3]], rtol=1e-6)
        assert frame.meta["n_points"].tolist() == [9, 5, 7]
        assert frame.meta["difficulty"].tolist() == [0, 2, 1]
        assert frame.meta["object_ids"].tolist() == ["a", "b", "d"]
        np.testing.assert_allclose(frame.meta["obstacles"], raw.labels["box"][[2]], rtol=1e-6)
        np.testing.assert_allclose(frame.meta["pose"], raw.pose, rtol=1e-6, atol=1e-6)
        forward = np.linalg.inv(raw.pose)[:3, :3] @ [3.0, 0, 0]
        np.testing.assert_allclose(frame.meta["velocity"], [forward[:2]] * 3, rtol=1e-5)
        boxes, names = dataset.read_labels(frame_id)
        assert np.array_equal(boxes, frame.boxes)
        assert np.array_equal(names, frame.names)
        assert all(np.array_equal(frame.meta[key], value) for key, value in dataset.label_facts(frame_id).items())
        assert dataset.timestamp(frame_id) == pytest.approx(raw.timestamp / 1e6)
        assert (dataset.sequence(frame_id), dataset.is_labelled(frame_id)) == (CONTEXT, True)


def test_no_label_zones_are_kept_in_our_layout(prepared):
    frame = WaymoDataset(prepared / "kecor", "train", CLASSES).read(IDS[2])
    np.testing.assert_array_equal(frame.meta["no_label_zones"], [np.array([[12.0, 2], [22, 2], [22, 32]])])


def test_options_change_points_and_boxes(prepared):
    raw = next(frames())
    everything = WaymoDataset(
        prepared / "kecor", "train", [*CLASSES, "Sign"], intensity="raw", no_label_zones=True, min_points=0
    ).read(FIRST)
    assert np.array_equal(everything.points, frame_points(raw)[0][:, :5])
    assert everything.names.tolist() == ["Vehicle", "Pedestrian", "Sign", "Cyclist", "Vehicle"]
    many = WaymoDataset(prepared / "kecor", "train", CLASSES, min_points=6)
    assert many.read(FIRST).meta["n_points"].tolist() == many.label_facts(FIRST)["n_points"].tolist() == [9, 7]


def test_a_frame_without_label_file_is_not_labelled(ours):
    root, folder = ours
    (folder / "labels" / "000001.npy").unlink()
    dataset = WaymoDataset(root, "train", CLASSES)
    assert [dataset.is_labelled(frame_id) for frame_id in dataset.ids] == [True, False, True, True]
    assert len(dataset.read(IDS[1], labels=False).boxes) == 0
    with pytest.raises(DataError, match=r"000001\.npy: no such file: the frame is not labelled"):
        dataset.read(IDS[1])


def test_an_object_id_that_is_not_text_is_named(ours):
    root, folder = ours
    path = folder / "labels" / "000000.npy"
    rows = np.load(path)
    rows["id"][0] = b"abc\xca"
    np.save(path, rows)
    with pytest.raises(DataError, match=r"/000000: the id of an object is not text: b'abc\\xca"):
        WaymoDataset(root, "train", CLASSES).read(FIRST)


def test_labels_are_not_opened_unless_asked_for(ours):
    root, folder = ours
    (folder / "labels" / "000000.npy").write_bytes(b"damaged")
    frame = WaymoDataset(root, "train", CLASSES).read(FIRST, labels=False)
    assert len(frame.points) > 100
    assert frame.meta.keys() == {"pose", "no_label_zones"}


def test_a_list_may_name_frames_and_segments_that_are_not_there(ours):
    root, _ = ours
    (root / "ImageSets" / "few.txt").write_text(f"{CONTEXT}/000002\n{CONTEXT}/000000\nmissing_1\n")
    with pytest.warns(UserWarning, match=r"few\.txt: left out 1 lines"):
        assert WaymoDataset(root, "few", CLASSES).ids == [IDS[2], IDS[0]]
    (root / "ImageSets" / "none.txt").write_text("missing_1\n")
    with pytest.raises(DataError, match=r"none\.txt: no frame it names is in"):
        WaymoDataset(root, "none", CLASSES)
    with pytest.raises(DataError, match=r"val\.txt: no such split list; there are: few, none, train"):
        WaymoDataset(root, "val", CLASSES)


@pytest.mark.parametrize("bad", ["../secret/000000", "/etc/000000", f"{CONTEXT}/../000000", f"{CONTEXT}/9", "x"])
def test_frame_ids_never_leave_their_folder(ours, bad):
    root, _ = ours
    with pytest.raises(DataError, match="has no frame"):
        WaymoDataset(root, "train", CLASSES).read(bad)
    (root / "ImageSets" / "bad.txt").write_text(f"{bad}\n")
    with pytest.raises(DataError):
        WaymoDataset(root, "bad", CLASSES).read(bad)


def npy(header):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(48)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no array",
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 6)}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000, 6)}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 6)}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 6)}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 6)}"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 6)}"),
        npy("{'descr': '<f4', 'shape': __import__('os')}"),
    ],
)
def test_a_damaged_cloud_is_named(ours, data):
    root, folder = ours
    (folder / "points" / "000000.npy").write_bytes(data)
    with pytest.raises(DataError, match=r"points/000000\.npy: "):
        WaymoDataset(root, "train", CLASSES).read(FIRST)


def test_points_that_are_not_finite_are_refused(ours):
    root, folder = ours
    np.save(folder / "points" / "000000.npy", np.full((2, 6), np.nan, np.float32))
    with pytest.raises(DataError, match="frame 0 has points that are not finite"):
        WaymoDataset(root, "train", CLASSES).read(FIRST)


def test_wrong_arguments_are_named(ours):
    root, folder = ours
    with pytest.raises(ConfigError, match=r"data\.classes: 'Car' is no class of waymo; it has Vehicle"):
        WaymoDataset(root, "train", ["Car"])
    with pytest.raises(ConfigError, match=r"data\.intensity: 'log'"):
        WaymoDataset(root, "train", CLASSES, intensity="log")
    with pytest.raises(DataError, match=r"holds neither segments nor waymo_processed_data.*create_data\.py waymo"):
        WaymoDataset(folder, "train", CLASSES)


def test_openpcdet_pickles_have_their_keys(theirs):
    _, path = theirs
    (info, *_) = pickle.loads(path.read_bytes())
    name = f"segment-{CONTEXT}_with_camera_labels"
    assert info["point_cloud"] == {"num_features": 5, "lidar_sequence": name, "sample_idx": 0}
    assert (info["frame_id"], info["metadata"]["context_name"]) == (f"{name}_000", CONTEXT)
    assert sum(info["num_points_of_each_lidar"]) == len(np.load(path.parent / "0000.npy"))
    assert info["annos"]["gt_boxes_lidar"].shape == (5, 9)
    assert info["annos"]["name"].tolist() == ["Vehicle", "Pedestrian", "Sign", "Cyclist", "Vehicle"]
    assert {"difficulty", "obj_ids", "num_points_in_gt", "speed_global"} < info["annos"].keys()


@pytest.mark.parametrize("name", ["segment-{}", "training_segment-{}_with_camera_labels"])
def test_openpcdet_folders_in_other_spellings_are_found(theirs, name):
    root, path = theirs
    renamed = path.parent.with_name(name.format(CONTEXT))
    path.parent.rename(renamed)
    (renamed / path.name).rename(renamed / f"{renamed.name}.pkl")
    dataset = WaymoDataset(root, "train", CLASSES)
    assert dataset.ids == IDS
    assert len(dataset.read(FIRST).boxes) == 3


def change(path, edit):
    infos = pickle.loads(path.read_bytes())
    for info in infos:
        edit(info)
    path.write_bytes(pickle.dumps(infos))


def test_openpcdet_infos_of_older_versions_are_read(theirs):
    root, path = theirs

    def older(info):
        info["annos"]["gt_boxes_lidar"] = info["annos"]["gt_boxes_lidar"][:, :7]
        for key in ("difficulty", "tracking_difficulty", "obj_ids", "speed_global", "accel_global"):
            del info["annos"][key]
        del info["metadata"]

    change(path, older)
    dataset = WaymoDataset(root, "train", CLASSES)
    assert dataset.read(FIRST).boxes.shape == (3, 7)
    assert dataset.label_facts(FIRST)["difficulty"].tolist() == [0, 0, 0]
    assert dataset.timestamp(FIRST) is None


def test_openpcdet_frames_without_annotations_are_not_labelled(theirs):
    root, path = theirs
    change(path, lambda info: info.pop("annos"))
    dataset = WaymoDataset(root, "train", CLASSES)
    assert not any(map(dataset.is_labelled, dataset.ids))
    with pytest.raises(DataError, match=r"\.pkl: frame 0 is not labelled"):
        dataset.read(FIRST)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda info: info["annos"].pop("name"), "no list of OpenPCDet's frame infos: KeyError"),
        (lambda info: info["annos"].update(name=np.array(["Car"] * 5)), "frame 0: unknown class 'Car'"),
        (lambda info: info["annos"].update(num_points_in_gt=np.zeros(5, int)), "num_points_in_gt is 0 for every box"),
        (lambda info: info["annos"].update(gt_boxes_lidar=np.zeros((4, 7))), "no list of OpenPCDet's frame infos"),
        (lambda info: info["annos"].update(gt_boxes_lidar=np.zeros((5, 7))), "frame 0: label 'a' has type 1 and box"),
        (lambda info: info["annos"].update(name=print), r"asks for builtins\.print, .*is not opened"),
    ],
)
def test_openpcdet_infos_that_are_wrong_are_named(theirs, edit, message):
    root, path = theirs
    change(path, edit)
    with pytest.raises(DataError, match=rf"\.pkl: .*{message}"):
        WaymoDataset(root, "train", CLASSES).read(FIRST)


def test_several_processed_folders_are_refused(theirs):
    root, _ = theirs
    (root / "waymo_processed_data_v0_4").mkdir()
    with pytest.raises(DataError, match="expected one folder"):
        WaymoDataset(root, "train", CLASSES)


def test_a_real_sweep_in_openpcdets_layout(tmp_path):
    real = shared_data("waymo", "format", "real_unlabelled", "0004.npy")
    folder = tmp_path / "waymo_processed_data_v0_5_0" / f"segment-{CONTEXT}_with_camera_labels"
    folder.mkdir(parents=True)
    (folder / "0004.npy").symlink_to(real)
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets" / "train.txt").write_text(f"{folder.name}.tfrecord\n")
    dataset = WaymoDataset(tmp_path, "train", CLASSES)
    frame = dataset.read(IDS[0].replace("000000", "000004"), labels=False)
    assert frame.points.shape == (172_359, 5)
    assert frame.points[:, 3].max() <= 1
    assert np.median(frame.points[:, 3]) == pytest.approx(np.tanh(0.11), abs=0.005)
    assert not dataset.is_labelled(dataset.ids[0])
