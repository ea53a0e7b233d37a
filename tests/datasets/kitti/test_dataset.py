import pickle

import numpy as np
import pytest

from kecor.config import DataConfig, VoxelConfig
from kecor.datasets import build_dataset
from kecor.datasets.kitti.check import check_dataset
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.errors import DataError
from kecor.files import write_json
from tests.datasets.small_set import CALIB, cloud, write_set

CLASSES = ["Car", "Pedestrian"]


def files(root):
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*")}


def edit_label(root, frame_id, old, new):
    path = root / "training" / "label_2" / f"{frame_id}.txt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def naive_view(points, width, height):
    """Points on the image, one by one, with 4x4 matrices (KITTI development kit: P2 R0 Tr x)."""
    kept = []
    v2c, p2 = np.eye(4), np.eye(4)
    v2c[:3], p2[:3] = CALIB.v2c, CALIB.p2
    for i, point in enumerate(points.astype(np.float64)):
        rect = v2c @ [*point[:3], 1]
        u, v, w, _ = p2 @ rect
        if rect[2] >= 0 and 0 <= u / w < width and 0 <= v / w < height:
            kept.append(i)
    return kept


def test_reading_writes_nothing_and_needs_no_index(tmp_path):
    root = write_set(tmp_path / "set")
    before = files(root)
    dataset = KittiDataset(root, "train", CLASSES)
    for frame_id in dataset.ids:
        dataset.read(frame_id)
    assert files(root) == before
    assert len(dataset) == 3


def test_a_frame_has_the_objects_of_the_classes_alone(tmp_path):
    dataset = KittiDataset(write_set(tmp_path / "set"), "train", ["Car"])
    frame = dataset.read("a1")
    assert frame.names.tolist() == ["Car"]
    assert len(dataset.objects("a1")) == 3
    # x right, y down, z forward of the camera -> x forward, y left, z up of the LiDAR; location is the bottom centre
    np.testing.assert_allclose(frame.boxes[0, :3], [13 + 0.27, 1 + 0.01, -1.7 - 0.08 + 0.75], atol=1e-5)
    np.testing.assert_allclose(frame.boxes[0, 3:6], [4, 1.6, 1.5])
    np.testing.assert_allclose(frame.boxes[0, 6], 1.2 - np.pi / 2, atol=1e-6)
    assert frame.meta["image_size"] == (1242, 375)
    assert frame.meta["truncated"].tolist() == [0.1]
    assert frame.meta["occluded"].tolist() == [1]
    assert frame.meta["bbox"].tolist() == [[100, 100, 200, 190]]
    assert frame.meta["difficulty"].tolist() == [1]


def test_the_crop_is_the_camera_view(tmp_path):
    root = write_set(tmp_path / "set")
    points = cloud(0)
    kept = naive_view(points, 1242, 375)
    assert 20 < len(kept) < 200
    np.testing.assert_array_equal(KittiDataset(root, "train", CLASSES).read("a0").points, points[kept])
    whole = KittiDataset(root, "train", CLASSES, camera_view=False).read("a0").points
    np.testing.assert_array_equal(whole, points)


def test_without_labels_the_label_file_is_not_opened(tmp_path):
    root = write_set(tmp_path / "set")
    dataset = KittiDataset(root, "train", CLASSES)
    labelled = dataset.read("a0")
    (root / "training" / "label_2" / "a0.txt").unlink()
    frame = dataset.read("a0", labels=False)
    assert frame.boxes.shape == (0, 7)
    assert len(frame.names) == 0
    assert set(frame.meta) == {"image_size"}
    np.testing.assert_array_equal(frame.points, labelled.points)
    with pytest.raises(DataError, match=r"label_2/a0\.txt"):
        dataset.read("a0")


def test_a_frame_without_objects_of_the_classes_is_fine(tmp_path):
    root = write_set(tmp_path / "set")
    (root / "training" / "label_2" / "a0.txt").write_text("")
    frame = KittiDataset(root, "train", CLASSES).read("a0")
    assert frame.boxes.shape == (0, 7)
    assert frame.meta["difficulty"].shape == (0,)


def test_a_missing_split_names_those_there_are(tmp_path):
    root = write_set(tmp_path / "set")
    with pytest.raises(DataError, match=r"ImageSets/valid\.txt: no such split list; there are: train, val"):
        KittiDataset(root, "valid", CLASSES)
    with pytest.raises(DataError, match="nowhere: no such folder"):
        KittiDataset(tmp_path / "nowhere", "train", CLASSES)


def test_an_id_listed_twice_is_an_error(tmp_path):
    root = write_set(tmp_path / "set", train=("a0", "a1"))
    (root / "ImageSets" / "train.txt").write_text("a0\na1\na0\n")
    with pytest.raises(DataError, match=r"train\.txt: frame a0 is listed 2 times"):
        KittiDataset(root, "train", CLASSES)


def test_the_test_split_is_read_from_its_own_folder(tmp_path):
    root = write_set(tmp_path / "set")
    (root / "ImageSets" / "test.txt").write_text("a0\n")
    for folder, suffix in (("velodyne", "bin"), ("calib", "txt")):
        (root / "testing" / folder).mkdir(parents=True)
        source = root / "training" / folder / f"a2.{suffix}"
        (root / "testing" / folder / f"a0.{suffix}").write_bytes(source.read_bytes())
    dataset = KittiDataset(root, "test", CLASSES, camera_view=False)
    np.testing.assert_array_equal(dataset.read("a0", labels=False).points, cloud(2))


def spoil_points(root):
    points = cloud(0)
    points[7, 2] = np.nan
    points.tofile(root / "training" / "velodyne" / "a0.bin")


def spoil_size(root):
    edit_label(root, "a0", "1.50 1.60 4.00", "1.50 0.00 4.00")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_points, r"velodyne/a0\.bin: 1 of 400 points are not finite; .*create_data\.py kitti --root"),
        (spoil_size, r"label_2/a0\.txt: object 2 \(Car\) .*create_data\.py kitti --root"),
    ],
)
def test_mendable_faults_are_errors_without_an_index_and_mended_with_one(tmp_path, spoil, message):
    root = write_set(tmp_path / "set")
    spoil(root)
    with pytest.raises(DataError, match=message):
        KittiDataset(root, "train", CLASSES).read("a0")
    write_json(root / "kecor_index.json", check_dataset(root, progress=False))
    frame = KittiDataset(root, "train", CLASSES, camera_view=False).read("a0")
    assert np.isfinite(frame.points).all()
    assert len(frame.points) == (399 if spoil is spoil_points else 400)
    assert frame.names.tolist() == (["Car", "Pedestrian"] if spoil is spoil_points else ["Pedestrian"])


def test_a_fault_that_came_after_the_index_is_still_an_error(tmp_path):
    root = write_set(tmp_path / "set")
    write_json(root / "kecor_index.json", check_dataset(root, progress=False))
    spoil_points(root)
    with pytest.raises(DataError, match="not finite"):
        KittiDataset(root, "train", CLASSES).read("a0")


def test_excluded_frames_are_left_out_with_a_warning(tmp_path):
    root = write_set(tmp_path / "set")
    (root / "training" / "velodyne" / "a1.bin").unlink()
    assert KittiDataset(root, "train", CLASSES).ids == ["a0", "a1", "a2"]
    write_json(root / "kecor_index.json", check_dataset(root, progress=False))
    with pytest.warns(UserWarning, match="split train: 1 of 3 frames left out"):
        dataset = KittiDataset(root, "train", CLASSES)
    assert dataset.ids == ["a0", "a2"]


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 99, "frames": {}}'])
def test_a_spoilt_index_is_an_error(tmp_path, text):
    root = write_set(tmp_path / "set")
    (root / "kecor_index.json").write_text(text)
    with pytest.raises(DataError, match=r"kecor_index\.json"):
        KittiDataset(root, "train", CLASSES)


def test_build_dataset_follows_the_config_and_pickles(tmp_path):
    root = write_set(tmp_path / "set")
    data = DataConfig(
        "kitti", str(root), CLASSES, [0, -40, -3, 70, 40, 1], VoxelConfig([1, 1, 1]), options={"camera_view": False}
    )
    dataset = pickle.loads(pickle.dumps(build_dataset(data, "val")))
    assert dataset.ids == ["b0"]
    assert len(dataset.read("b0").points) == 400
