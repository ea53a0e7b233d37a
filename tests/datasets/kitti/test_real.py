"""Reading real frames."""

import numpy as np
import pytest

from kecor.datasets.kitti.dataset import KittiDataset
from kecor.geometry.boxes import corners
from kecor.ops import count_points_in_boxes
from tests.shared import shared_data

CLASSES = ["Car", "Pedestrian", "Cyclist"]


@pytest.fixture(scope="module")
def dataset():
    return KittiDataset(shared_data("kitti_mini"), "trainval", CLASSES)


def raw_count(dataset, frame_id):
    return (dataset.root / "training" / "velodyne" / f"{frame_id}.bin").stat().st_size // 16


def test_cropping_keeps_frames_that_are_already_cropped(dataset):
    for frame_id in [i for i in dataset.ids if i.startswith("100")][::10]:
        assert len(dataset.read(frame_id).points) >= 0.999 * raw_count(dataset, frame_id)


def test_cropping_a_full_sweep_keeps_what_cropped_sweeps_hold(dataset):
    sweeps = [i for i in dataset.ids if raw_count(dataset, i) > 100_000]
    assert len(sweeps) == 23
    for frame_id in sweeps[::4]:
        frame = dataset.read(frame_id)
        assert 14_000 < len(frame.points) < 24_000
        assert (frame.points[:, 0] > 0).all()


def test_boxes_land_on_their_points(dataset):
    counts = []
    for frame_id in [i for i in dataset.ids if not i.startswith("100")]:
        frame = dataset.read(frame_id)
        near = (frame.names == "Car") & (np.linalg.norm(frame.boxes[:, :2], axis=1) < 30)
        counts.append(count_points_in_boxes(frame.points, frame.boxes[near]))
        moved = frame.boxes[near] + np.array([0, 0, 3, 0, 0, 0, 0], np.float32)
        assert count_points_in_boxes(frame.points, moved).sum() < 0.05 * counts[-1].sum() + 5
    counts = np.concatenate(counts)
    assert len(counts) > 40
    assert counts.mean() > 150
    assert (counts > 0).mean() > 0.95


def test_boxes_survive_the_way_to_the_camera_and_back(dataset):
    for frame_id in dataset.ids[::6]:
        calib, objects = dataset.calibration(frame_id), dataset.objects(frame_id)
        objects = objects.take(objects.names != "DontCare")
        dimensions, location, rotation_y = calib.boxes_to_camera(calib.boxes_to_lidar(objects))
        np.testing.assert_allclose(dimensions, objects.dimensions, atol=1e-4)
        np.testing.assert_allclose(location, objects.location, atol=1e-4)
        turn = rotation_y - objects.rotation_y
        np.testing.assert_allclose(np.cos(turn), 1, atol=1e-8)


def test_points_survive_the_way_to_the_camera_and_back(dataset):
    frame = dataset.read(dataset.ids[0])
    back = frame.calib.rect_to_lidar(frame.calib.lidar_to_rect(frame.points))
    np.testing.assert_allclose(back, frame.points[:, :3], atol=1e-4)


def test_projected_boxes_match_the_labelled_image_boxes(dataset):
    """Whole, visible cars: the extent of the corners on the image against the annotators' rectangle."""
    errors = []
    for frame_id in [i for i in dataset.ids if not i.startswith("100")]:
        frame = dataset.read(frame_id)
        whole = (frame.names == "Car") & (frame.meta["truncated"] == 0) & (frame.meta["occluded"] == 0)
        for box, rectangle in zip(frame.boxes[whole], frame.meta["bbox"][whole]):
            pixels, _ = frame.calib.rect_to_image(frame.calib.lidar_to_rect(corners(box[None])[0]))
            extent = np.concatenate([pixels.min(0), pixels.max(0)])
            errors.append(np.abs(extent - rectangle).max())
    assert len(errors) > 10
    assert np.median(errors) < 10


def test_truncation_levels_are_read_as_they_stand(dataset):
    levels = set()
    for frame_id in [i for i in dataset.ids if i.startswith("100")]:
        meta = dataset.read(frame_id).meta
        levels |= set(meta["truncated"].tolist())
        assert len(meta["difficulty"]) == len(meta["truncated"])
    assert levels <= {0.0, 1.0, 2.0}
    assert len(levels) > 1
