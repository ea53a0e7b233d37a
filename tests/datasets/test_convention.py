from dataclasses import replace

import numpy as np
import pytest

from kecor.datasets.convention import READINGS, apply_readings, better_readings
from kecor.datasets.kitti.calibration import read_calibration
from kecor.datasets.kitti.files import read_points
from kecor.datasets.kitti.labels import read_objects
from kecor.structures import Frame
from tests.datasets.custom.worlds import sites
from tests.shared import shared_data

WRITERS = {
    "degrees": lambda b: np.column_stack([b[:, :6], np.rad2deg(b[:, 6])]),
    "clockwise": lambda b: b * [1, 1, 1, 1, 1, 1, -1],
    "turned": lambda b: b - [0, 0, 0, 0, 0, 0, np.pi / 2],
    "swapped": lambda b: b[:, [0, 1, 2, 4, 3, 5, 6]],
    "bottom": lambda b: b - b[:, 5:6] / 2 * [0, 0, 1, 0, 0, 0, 0],
    "top": lambda b: b + b[:, 5:6] / 2 * [0, 0, 1, 0, 0, 0, 0],
}
"""How somebody with another convention would have written boxes."""
COMBINED = [
    ("degrees", "clockwise"),
    ("clockwise", "turned"),
    ("swapped", "bottom"),
    ("degrees", "clockwise", "turned", "bottom"),
]


def written(frames, names):
    """The frames with boxes as written in another convention, the last reading written first."""
    for name in reversed(names):
        frames = [replace(frame, boxes=WRITERS[name](frame.boxes.astype(np.float64))) for frame in frames]
    return frames


@pytest.fixture(scope="module")
def real_frames():
    """Every third real sweep with its cars, pedestrians and cyclists."""
    root = shared_data("kitti_mini", "training")
    frames = []
    for path in sorted((root / "label_2").glob("*.txt"))[::6]:
        objects = read_objects(path)
        objects = objects.take(np.isin(objects.names, ["Car", "Pedestrian", "Cyclist"]))
        boxes = read_calibration(root / "calib" / path.name).boxes_to_lidar(objects)
        points = read_points(root / "velodyne" / f"{path.stem}.bin")
        frames.append(Frame(path.stem, points, boxes, objects.names))
    return frames


@pytest.mark.parametrize("names", [(name,) for name in WRITERS] + COMBINED)
def test_readings_undo_what_a_writer_did(names):
    frames = sites(1)
    boxes = apply_readings(written(frames, names)[0].boxes, names)
    np.testing.assert_allclose(boxes, frames[0].boxes, atol=1e-5)


@pytest.mark.parametrize("names", [(name,) for name in WRITERS] + COMBINED)
def test_the_right_reading_is_named(names):
    found = better_readings(written(sites(5, cars=12), names))
    cars = next(reading for reading in found if reading.name == "Car")
    assert set(cars.readings) == set(names)
    assert cars.points > 1.5 * cars.points_now
    assert "Car: boxes hold" in str(cars)


def test_right_labels_are_left_alone():
    assert better_readings(sites(5)) == []
    assert better_readings([]) == []
    assert better_readings(sites(2, cars=0, walkers=0)) == []


def test_readings_in_use_are_kept_or_given_up():
    frames = written(sites(5, cars=12), ("clockwise", "bottom"))
    assert better_readings(frames, ["clockwise", "bottom"]) == []
    more = next(r for r in better_readings(frames, ["clockwise"]) if r.name == "Car")
    assert set(more.readings) == {"clockwise", "bottom"}
    less = next(r for r in better_readings(sites(5, cars=12), ["turned"]) if r.name == "Car")
    assert less.readings == ()


def test_real_labels_are_left_alone(real_frames):
    assert better_readings(real_frames) == []
    assert not any(better_readings(real_frames[k : k + 4]) for k in range(0, len(real_frames), 4))


@pytest.mark.parametrize("names", [(name,) for name in WRITERS if name != "clockwise"] + [("degrees", "bottom")])
def test_the_right_reading_of_real_sweeps_is_named(real_frames, names):
    found = {reading.name: reading for reading in better_readings(written(real_frames, names))}
    assert set(found["Car"].readings) == set(names)


def test_every_reading_has_a_writer():
    assert set(READINGS) == set(WRITERS)
