import numpy as np

from kecor.datasets.gt_database import GTDatabase
from kecor.ops import points_in_boxes
from tests.datasets.test_augmentation import scene


def test_objects_come_with_the_points_inside_their_boxes():
    frame = scene()
    database = GTDatabase.from_frames([frame], ["Car", "Pedestrian"])
    owner = points_in_boxes(frame.points, frame.boxes)
    for name in ("Car", "Pedestrian"):
        rows = np.flatnonzero(frame.names == name)
        assert len(database.objects[name]) == len(rows) == 3
        for row, (box, points) in zip(rows, database.objects[name]):
            np.testing.assert_array_equal(box, frame.boxes[row])
            np.testing.assert_array_equal(points, frame.points[owner == row])


def test_only_asked_classes_are_kept():
    assert set(GTDatabase.from_frames([scene()], ["Car"]).objects) == {"Car"}


def test_samples_are_different_objects_and_follow_the_generator():
    database = GTDatabase.from_frames([scene(s) for s in range(4)], ["Car"])
    first = database.sample("Car", 8, np.random.default_rng(5))
    again = database.sample("Car", 8, np.random.default_rng(5))
    assert len({id(points) for _, points in first}) == 8
    assert all(a[1] is b[1] for a, b in zip(first, again))
    assert len(database.sample("Car", 100, np.random.default_rng(0))) == 12
    assert database.sample("Tram", 3, np.random.default_rng(0)) == []


def test_with_points_drops_thin_objects():
    frame = scene()
    frame.points = frame.points[:-25]  # the last box keeps 5 of its 30 points
    database = GTDatabase.from_frames([frame], ["Car", "Pedestrian"])
    assert len(database.with_points(5).objects["Pedestrian"]) == 3
    assert len(database.with_points(6).objects["Pedestrian"]) == 2


def test_frames_without_objects_give_an_empty_database():
    database = GTDatabase.from_frames([], ["Car"])
    assert database.objects == {"Car": []}
    assert database.sample("Car", 2, np.random.default_rng(0)) == []
