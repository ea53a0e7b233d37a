import tarfile

import numpy as np
import pytest

from kecor.datasets.custom.measure import anchors, outside, volume, voxel_limit, voxel_size
from kecor.datasets.kitti.calibration import read_calibration
from kecor.datasets.kitti.labels import read_objects
from kecor.datasets.voxels import voxel_counts
from kecor.structures import Frame
from tests.datasets.custom.worlds import sites
from tests.shared import shared_data

CLASSES = ["Car", "Pedestrian", "Cyclist"]


@pytest.fixture(scope="module")
def kitti(tmp_path_factory):
    """(M, 7) boxes of KITTI's three classes, and their names, of every tenth label file."""
    folder = tmp_path_factory.mktemp("labels")
    with tarfile.open(shared_data("kitti_labels", "kitti_labels.tar.xz")) as archive:
        for member in archive:
            if member.name.endswith("0.txt"):
                archive.extract(member, folder, filter="data")
    boxes, names = [], []
    for path in sorted((folder / "training" / "label_2").glob("*.txt")):
        objects = read_objects(path)
        objects = objects.take(np.isin(objects.names, CLASSES))
        boxes.append(read_calibration(folder / "training" / "calib" / path.name).boxes_to_lidar(objects))
        names.append(objects.names)
    return np.concatenate(boxes), np.concatenate(names)


def test_anchors_of_kitti_are_near_the_published_ones(kitti):
    published = {"Car": (3.9, 1.6, 1.56), "Pedestrian": (0.8, 0.6, 1.73), "Cyclist": (1.76, 0.6, 1.73)}
    for anchor in anchors(*kitti, CLASSES):
        np.testing.assert_allclose(anchor["size"], published[anchor["name"]], atol=0.1)
        assert -1.65 < anchor["bottom"] < -1.4
        long = anchor["name"] == "Car"
        assert (anchor["matched"], anchor["unmatched"]) == ((0.6, 0.45) if long else (0.5, 0.35))
        assert anchor["rotations"] == [0, 1.57]


def test_volume_of_kitti_holds_its_boxes(kitti):
    boxes, _ = kitti
    assert voxel_size(boxes) == 0.05
    space = volume(boxes, [0.05, 0.05, 0.1])
    x0, y0, z0, x1, y1, z1 = space
    assert -4 < x0 < 3
    assert 74 < x1 < 80
    assert -29 < y0 < -24
    assert 26 < y1 < 31
    assert z1 - z0 == pytest.approx(4)
    assert outside(boxes, space).mean() < 0.01


@pytest.mark.parametrize("size", [[0.05, 0.05, 0.1], [0.16, 0.16, 0.1], [0.1, 0.1, 0.15], [0.075, 0.075, 0.2]])
def test_volumes_are_whole_numbers_of_voxels(size):
    rng = np.random.default_rng(0)
    for _ in range(50):
        centre = rng.uniform(-60, 60, 3) * [1, 1, 0.1]
        boxes = np.column_stack(
            [centre + rng.normal(0, 15, (80, 3)) * [1, 1, 0.1], rng.uniform(0.5, 12, (80, 3)), rng.uniform(-3, 3, 80)]
        )
        low, high = np.reshape(volume(boxes, size), (2, 3))
        cells = (high - low) / size
        np.testing.assert_allclose(cells, np.round(cells), atol=1e-3)
        assert (np.round(cells[:2]) % 16 == 0).all()
        assert round(cells[2]) >= 40
        assert round(cells[2]) % 8 == 0
        held = (boxes[:, :3] >= low) & (boxes[:, :3] < high)
        assert held.mean() > 0.98


def test_one_box_has_a_volume_too():
    space = volume(np.array([[10.0, 5, 0, 4, 2, 1.5, 0.3]]), [0.05, 0.05, 0.1])
    assert not outside(np.array([[10.0, 5, 0, 4, 2, 1.5, 0.3]]), space).any()


def test_large_volumes_get_larger_voxels():
    boxes = np.array([[-75.0, 0, 0, 4, 2, 1.5, 0], [75, 0, 0, 4, 2, 1.5, 0]])
    assert voxel_size(boxes) == 0.1


def test_occupied_voxels_are_counted():
    frames = sites(3)
    space, size = [-40, -40, -3, 40, 40, 1], [0.5, 0.5, 0.5]
    cells = [np.floor((f.points[:, :3].astype(np.float64) - space[:3]) / size) for f in frames]
    kept = [c[((c >= 0) & (c < [160, 160, 8])).all(axis=1)] for c in cells]
    assert voxel_counts(frames, space, size).tolist() == [len(np.unique(c, axis=0)) for c in kept]
    assert voxel_counts([Frame("a", np.full((3, 4), 99, np.float32))], space, size).tolist() == [0]
    assert voxel_limit(np.array([1200, 1300])) == 2000
