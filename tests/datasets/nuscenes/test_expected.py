"""Points, boxes and velocities against the devkit's own, of an invented data set."""

import numpy as np
import pytest

from kecor.datasets.nuscenes import NuscenesDataset
from kecor.datasets.nuscenes.categories import CATEGORIES, CLASSES
from tests.datasets.nuscenes.world import VERSION, need_devkit
from tests.shared import shared_data

need_devkit()


@pytest.fixture(scope="module", params=["mini_train", "mini_val"])
def dataset(request):
    return NuscenesDataset(shared_data("nuscenes", "synthetic_mini"), request.param, CLASSES, VERSION)


@pytest.fixture(scope="module")
def expected():
    return np.load(shared_data("nuscenes", "synthetic_mini", "expected_points_boxes.npz"))


@pytest.mark.parametrize("sweeps", [1, 10])
def test_points(dataset, expected, sweeps):
    dataset = NuscenesDataset(dataset.root, dataset.split, CLASSES, VERSION, sweeps=sweeps)
    checked = 0
    for frame_id in dataset.ids:
        key = f"{frame_id}/sweeps{sweeps}_"
        if f"{key}points_xyzi" in expected:
            points = dataset.read(frame_id, labels=False).points
            assert points.dtype == np.float32
            np.testing.assert_allclose(points[:, :4], expected[f"{key}points_xyzi"], atol=1e-4)
            np.testing.assert_allclose(points[:, 4], expected[f"{key}time_lag"], atol=1e-5)
            checked += 1
    assert checked >= 2


def test_boxes_and_velocities(dataset, expected):
    for frame_id in dataset.ids:
        frame = dataset.read(frame_id)
        values = {k: expected[f"{frame_id}/{k}"] for k in ("boxes_lidar_xyz_wlh", "yaw_lidar", "velocity_global")}
        tokens = expected[f"{frame_id}/ann_tokens"].tolist()
        rows = [tokens.index(token) for token in frame.meta["tokens"]]
        wlh = values["boxes_lidar_xyz_wlh"][rows]
        np.testing.assert_allclose(frame.boxes[:, :6], wlh[:, [0, 1, 2, 4, 3, 5]], atol=1e-5)
        np.testing.assert_allclose(frame.boxes[:, 6], values["yaw_lidar"][rows], atol=1e-6)
        velocity = values["velocity_global"][rows]
        np.testing.assert_allclose(frame.meta["velocity_global"], velocity[:, :2], atol=1e-9)
        turned = velocity @ dataset.lidar_to_global(frame_id)[:3, :3]
        np.testing.assert_allclose(frame.meta["velocity"], turned[:, :2], atol=1e-5)
        np.testing.assert_array_equal(frame.meta["num_lidar_pts"], expected[f"{frame_id}/num_lidar_pts"][rows])
        others = np.delete(expected[f"{frame_id}/category"], rows)
        assert all(CATEGORIES[category] == "" for category in others.tolist())


def test_unknown_velocities_are_nan(dataset):
    velocities = np.concatenate([dataset.read(frame_id).meta["velocity"] for frame_id in dataset.ids])
    assert np.isnan(velocities).any()
    assert np.isfinite(velocities).any()


def test_scenes_and_times(dataset):
    times = [dataset.timestamp(frame_id) for frame_id in dataset.ids]
    assert {dataset.sequence(frame_id) for frame_id in dataset.ids} == {
        {"mini_train": "scene-0061", "mini_val": "scene-0103"}[dataset.split]
    }
    np.testing.assert_allclose(np.diff(times), 0.5, atol=0.01)


def test_min_points_leaves_boxes_out(dataset):
    strict = NuscenesDataset(dataset.root, dataset.split, CLASSES, VERSION, min_points=3)
    for frame_id in dataset.ids:
        kept = dataset.read(frame_id).meta["num_lidar_pts"] >= 3
        np.testing.assert_array_equal(strict.read(frame_id).boxes, dataset.read(frame_id).boxes[kept])
