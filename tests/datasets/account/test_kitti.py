"""Faults of a KITTI layout that only its own files show."""

import numpy as np
import pytest

from kecor.config import load_config
from kecor.datasets.account import account
from kecor.datasets.kitti.calibration import Calibration, format_calibration
from kecor.datasets.kitti.check import check_dataset, usable
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.datasets.kitti.files import read_points
from kecor.errors import DataError
from kecor.files import write_json
from tests.active.tiny import CALIBRATION, tiny_config, write_tiny_set


def said(root):
    dataset = KittiDataset(root, "train", ["Car", "Pedestrian"], camera_view=False)
    lines = []
    account(tiny_config(root).data, dataset, dataset.ids, log=lines.append)
    return [line.removeprefix("warning: ") for line in lines[2:]]


@pytest.fixture
def root(tmp_path):
    return write_tiny_set(tmp_path / "set", 8, 1)


def rewrite(root, change):
    for path in (root / "training" / "label_2").iterdir():
        rows = [line.split() for line in path.read_text().splitlines()]
        path.write_text("".join(" ".join(map(str, change(row))) + "\n" for row in rows))


def test_a_sound_set_has_no_warning(root):
    assert said(root) == []


def test_headings_in_degrees_are_named(root):
    rewrite(root, lambda row: [*row[:14], np.rad2deg(float(row[14]))])
    warnings = said(root)
    assert any("headings exceed two pi: are they degrees?" in line for line in warnings)
    assert any("Car: boxes hold" in line and "headings are degrees; write" in line for line in warnings)


def test_boxes_written_in_the_lidar_frame_are_named(root):
    def lidar(row):
        camera = np.array([*map(float, row[11:14])])
        return [*row[:11], *CALIBRATION.rect_to_lidar(camera[None])[0].round(4), -float(row[14]) - np.pi / 2]

    rewrite(root, lidar)
    (line,) = said(root)
    assert "boxes in 8 frames hold no point; they do when x y z and rotation are read in the LiDAR frame" in line


def test_an_assumed_image_size_that_the_calibration_contradicts_is_named(root):
    p2 = np.array([[1260.0, 0, 800, 0], [0, 1260, 450, 0], [0, 0, 1, 0]])
    other = format_calibration(Calibration(p2, CALIBRATION.r0, CALIBRATION.v2c))
    for path in (root / "training" / "calib").iterdir():
        path.write_text(other)
    (line,) = said(root)
    assert "the optical centre of P2 is 800, 450, far off the middle of the assumed image of 1242 x 375" in line
    assert "(likely 1600 x 900)" in line
    ids = (root / "ImageSets" / "train.txt").read_text().split()
    rows = "".join(f"{frame_id},1600,900\n" for frame_id in ids)
    (root / "image_sizes.csv").write_text(f"frame,width,height\n{rows}")
    assert said(root) == []


def test_a_calibration_that_cannot_be_inverted_is_an_error(root):
    path = root / "training" / "calib" / "000002.txt"
    path.write_text(format_calibration(Calibration(CALIBRATION.p2, np.ones((3, 3)), CALIBRATION.v2c)))
    with pytest.raises(DataError, match=r"000002\.txt: R0_rect: is singular"):
        said(root)


def test_a_cloud_of_another_format_beside_a_missing_one_is_named(root):
    path = root / "training" / "velodyne" / "000001.bin"
    path.rename(path.with_suffix(".pcd"))
    with pytest.raises(DataError, match=r"000001\.bin: cannot be read: no such file; there is 000001\.pcd: write"):
        read_points(path)


def test_frames_with_faulty_labels_stay_in_the_pool_until_they_are_corrected(root):
    path = root / "training" / "label_2" / "000003.txt"
    right = path.read_text()
    path.write_text("Car 1 2 3\n")
    index = check_dataset(root, progress=False)
    write_json(root / "kecor_index.json", index)
    assert "000003" in usable(index, "train")
    dataset = KittiDataset(root, "train", ["Car", "Pedestrian"], camera_view=False)
    assert "000003" in dataset.ids
    assert not dataset.is_labelled("000003")
    assert len(dataset.read("000003", labels=False).points) > 0
    path.write_text(right)
    assert dataset.is_labelled("000003")


def test_real_frames_have_no_warning():
    from tests.shared import shared_data

    root = shared_data("kitti_mini")
    data = load_config("kitti/second.yaml").data
    ids = sorted(path.stem for path in (root / "training" / "label_2").glob("*.txt"))[::3]
    dataset = KittiDataset(root, "train", data.classes)
    lines = []
    account(data, dataset, ids, log=lines.append)
    assert len(lines) == 2
