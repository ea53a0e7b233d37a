"""Written scenes, read back by the devkit and by the data set."""

import numpy as np
import pytest

from kecor.datasets.nuscenes import NuscenesDataset
from kecor.datasets.nuscenes.categories import CATEGORIES, CLASSES
from kecor.datasets.nuscenes.scenes import Scene
from kecor.datasets.nuscenes.writing import write_nuscenes
from kecor.errors import DataError
from tests.datasets.nuscenes.world import KINDS, VERSION, mount, need_devkit, scene, write_world

need_devkit()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_world(tmp_path_factory.mktemp("world"))


def test_the_devkit_gives_the_same_boxes_points_and_velocities(root):
    from nuscenes import NuScenes
    from nuscenes.utils.data_classes import LidarPointCloud

    official = NuScenes(VERSION, str(root), verbose=False)
    dataset = NuscenesDataset(root, "mini_val", CLASSES, VERSION)
    for frame_id in dataset.ids:
        frame = dataset.read(frame_id)
        sample = official.get("sample", frame_id)
        _, boxes, _ = official.get_sample_data(sample["data"]["LIDAR_TOP"])
        by_token = {box.token: box for box in boxes}
        for token, box, velocity in zip(frame.meta["tokens"], frame.boxes, frame.meta["velocity_global"]):
            theirs = by_token[token]
            np.testing.assert_allclose(box[:3], theirs.center, atol=1e-5)
            np.testing.assert_allclose(box[[4, 3, 5]], theirs.wlh, atol=1e-6)
            x, y, _ = theirs.orientation.rotation_matrix[:, 0]
            assert np.arctan2(y, x) == pytest.approx(box[6], abs=1e-5)
            np.testing.assert_allclose(velocity, official.box_velocity(token)[:2])
        cloud, lags = LidarPointCloud.from_file_multisweep(official, sample, "LIDAR_TOP", "LIDAR_TOP", nsweeps=10)
        np.testing.assert_allclose(frame.points[:, :4], cloud.points.T, atol=1e-4)
        np.testing.assert_allclose(frame.points[:, 4], lags[0], atol=1e-6)


def test_what_was_written_comes_back(root):
    dataset = NuscenesDataset(root, "mini_train", CLASSES, VERSION)
    written = [s for s in scene("scene-0061").sweeps if s.is_key_frame]
    assert len(dataset) == len(written) == 4
    for frame_id, sweep in zip(dataset.ids, written):
        frame = dataset.read(frame_id)
        assert frame.names.tolist() == [CATEGORIES[category] for category, *_ in KINDS if CATEGORIES[category]]
        np.testing.assert_allclose(frame.boxes, sweep.objects.boxes[:10], atol=1e-4)
        np.testing.assert_allclose(frame.meta["obstacles"], sweep.objects.boxes[10:], atol=1e-4)
        np.testing.assert_allclose(
            np.linalg.norm(frame.meta["velocity_global"], axis=1), [k[2] for k in KINDS[:10]], atol=1e-3
        )
        key = frame.points[frame.points[:, 4] == 0]
        np.testing.assert_allclose(key[:, :4], sweep.points[1:, :4], atol=1e-4)
        assert (frame.meta["num_lidar_pts"] >= 40).all()
        np.testing.assert_allclose(dataset.lidar_to_global(frame_id), sweep.pose @ mount(), atol=1e-9)


def test_earlier_sweeps_fall_on_standing_objects(root):
    """The bus stands: its points of all sweeps lie in its box, though the car has driven on and turned."""
    dataset = NuscenesDataset(root, "mini_train", CLASSES, VERSION)
    frame = dataset.read(dataset.ids[-1])
    ages = np.unique(frame.points[:, 4])
    assert len(ages) == 10
    np.testing.assert_allclose(ages, 0.1 * np.arange(10), atol=1e-4)
    box = frame.boxes[frame.names.tolist().index("bus")]
    local = frame.points[:, :2] - box[:2]
    c, s = np.cos(box[6]), np.sin(box[6])
    inside = (np.abs(local @ np.array([[c, -s], [s, c]])) <= box[3:5] / 2).all(axis=1)
    assert inside.sum() >= 10 * 40


def test_the_same_scenes_give_the_same_files(root, tmp_path):
    again = write_world(tmp_path)
    for path in (path for path in root.rglob("*") if path.is_file()):
        assert (again / path.relative_to(root)).read_bytes() == path.read_bytes()


def test_categories_are_those_of_the_devkit():
    from nuscenes.eval.detection.utils import category_to_detection_name

    assert len(CATEGORIES) == 23
    for category, name in CATEGORIES.items():
        assert (category_to_detection_name(category) or "") == name


def test_a_scene_without_annotations_is_not_labelled(tmp_path):
    write_world(tmp_path, labelled=False)
    train = NuscenesDataset(tmp_path, "mini_train", CLASSES, VERSION)
    assert not any(map(train.is_labelled, train.ids))
    assert len(train.read(train.ids[0], labels=False).boxes) == 0
    with pytest.raises(DataError, match="is not labelled"):
        train.read(train.ids[0])
    val = NuscenesDataset(tmp_path, "mini_val", CLASSES, VERSION)
    assert all(map(val.is_labelled, val.ids))
    (tmp_path / "labelled.txt").write_text(f"{val.ids[1]}\n")
    val = NuscenesDataset(tmp_path, "mini_val", CLASSES, VERSION)
    assert [val.is_labelled(frame_id) for frame_id in val.ids] == [False, True, False, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.sweeps.reverse(), "order of time"),
        (lambda s: s.sweeps[0].objects.categories.__setitem__(0, "tank"), "tank"),
        (lambda s: s.sweeps[0].objects.boxes.__setitem__((0, 3), -1), "positive sizes"),
        (lambda s: setattr(s.sweeps[1], "points", np.zeros((3, 4))), "points must be finite"),
    ],
)
def test_faulty_scenes(tmp_path, change, message):
    faulty = scene("scene-0061", keys=2)
    change(faulty)
    with pytest.raises(DataError, match=f"scene-0061.*{message}"):
        write_nuscenes(tmp_path, VERSION, [faulty], mount())


def test_a_scene_without_key_frame(tmp_path):
    with pytest.raises(DataError, match="key frame"):
        write_nuscenes(tmp_path, VERSION, [Scene("scene-0061")], np.eye(4))
