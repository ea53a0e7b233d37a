"""Simulated drives as Waymo files: what the sensor sees, and the whole way to the data set."""

from dataclasses import replace

import numpy as np
import pytest

from kecor.datasets.waymo import WaymoDataset, read_v1
from kecor.datasets.waymo.range_images import frame_points
from kecor.errors import DataError
from kecor.ops import count_points_in_boxes, iou_3d_paired
from kecor.simulation.waymo import sensor, write_waymo
from kecor.simulation.waymo.drive import random_drive, simulate_frame
from tests.simulation.conftest import FRAMES, SEED

CLASSES = ["Vehicle", "Pedestrian", "Cyclist"]


@pytest.fixture
def made(simulated):
    return simulated["waymo"]


def test_the_set_is_read_as_waymo(made):
    train, val = (WaymoDataset(made, split, CLASSES) for split in ("train", "val"))
    assert len(train) == len(val) == FRAMES
    assert not set(train.ids) & set(val.ids)
    for dataset in (train, val):
        for frame_id in dataset.ids:
            frame = dataset.read(frame_id)
            assert 80_000 < len(frame.points) < 170_000
            assert len(frame.boxes) > 0
            assert np.array_equal(count_points_in_boxes(frame.points, frame.boxes), frame.meta["n_points"])
            azimuth = np.arctan2(frame.points[:, 1], frame.points[:, 0])
            assert (np.histogram(azimuth, bins=12, range=(-np.pi, np.pi))[0] > 2000).all()
            near = frame.points[np.hypot(frame.points[:, 0], frame.points[:, 1]) < 8, 2]
            assert abs(np.quantile(near, 0.1)) < 0.2  # the road is at z = 0


def test_pixel_poses_straighten_what_a_fast_vehicle_sees():
    """Columns are measured while the vehicle moves; with the pixel poses a standing object's points fill its box."""
    drive = random_drive(np.random.default_rng(3), 0.2)
    drive = replace(drive, speed=30.0, turn=0.2, velocity=np.zeros_like(drive.velocity))
    frame = simulate_frame(drive, "a", 1, np.random.default_rng(0))
    sheared = replace(frame, lasers=[replace(frame.lasers[0], pixel_pose=None)])
    boxes = drive.boxes(sensor.TURN)
    inside, without = (count_points_in_boxes(frame_points(f)[0], boxes).sum() for f in (frame, sheared))
    assert inside > 1.05 * without
    still = replace(drive, speed=0.0, turn=0.0)
    assert np.allclose(still.boxes(0.1), still.boxes(0.0))


def test_nothing_that_moves_touches_anything():
    """At no time does a box overlap another one or that of the vehicle, which is at the origin of its frame."""
    drives = [random_drive(np.random.default_rng([0, i]), 1.5) for i in range(6)]
    assert sum((np.linalg.norm(drive.velocity, axis=1) > 0).sum() for drive in drives) > 20
    assert sum(drive.speed > 0 for drive in drives) > 2
    for drive in drives:
        for time in np.arange(0, 1.55, 0.05):
            boxes = np.vstack([drive.boxes(time), [0, 0, 0.8, 4.8, 2.0, 1.6, 0]])
            i, j = np.triu_indices(len(boxes), 1)
            assert not iou_3d_paired(boxes[i], boxes[j]).any()


def test_the_same_seed_gives_the_same_frames_and_a_run_goes_on(made, tmp_path):
    out = tmp_path / "again"
    write_waymo(out, 2, FRAMES, SEED, 0.5, progress=False, workers=1)
    raw = sorted(path.relative_to(made) for path in (made / "raw").rglob("*.tfrecord"))
    assert len(raw) == 2
    assert all((out / path).read_bytes() == (made / path).read_bytes() for path in raw)
    (out / raw[0]).unlink()
    assert write_waymo(out, 2, FRAMES, SEED, 0.5, progress=False, workers=1) == {}
    assert (out / raw[0]).read_bytes() == (made / raw[0]).read_bytes()
    with pytest.raises(DataError, match="another simulation"):
        write_waymo(out, 2, FRAMES, SEED + 1, 0.5, progress=False)


def test_records_hold_one_full_turn(made):
    path = next((made / "raw" / "training").iterdir())
    for _, frame in read_v1(path):
        (laser,) = frame.lasers
        assert (laser.name, laser.returns[0].shape) == (1, (64, 2650, 4))
        assert np.rad2deg(laser.inclinations[[0, -1]]) == pytest.approx([2.4, -17.6])
        assert (np.diff(laser.inclinations) < 0).all()
