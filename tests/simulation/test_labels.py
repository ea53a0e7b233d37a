"""What the sensor sees of an object decides its label line."""

import numpy as np
import pytest

from kecor.datasets.kitti.images import DEFAULT_IMAGE_SIZE
from kecor.datasets.kitti.labels import DONT_CARE
from kecor.ops import points_in_boxes
from kecor.simulation.frames import CALIBRATION, sweep
from kecor.simulation.labels import Visibility, label, project
from kecor.simulation.objects import clutter
from kecor.simulation.objects.meshes import Surface, block
from kecor.simulation.scenes.ground import Ground
from kecor.simulation.scenes.scene import finish
from kecor.simulation.scenes.site import Site
from kecor.simulation.sensor import MOUNT_HEIGHT

CAR = np.array([3.9, 1.6, 1.5])


def lawn(xy):
    return np.tile(np.float64(Surface(0.3)), (len(xy), 1))


def look(objects, clutter_meshes=(), seed=0):
    """Points, label lines and visibility of (name, x, y, heading, size) on flat ground."""
    site = Site(Ground(np.array([0.0, 0.0, -MOUNT_HEIGHT])))
    for name, x, y, heading, size in objects:
        assert site.add_object(name, x, y, heading, np.asarray(size))
    site.clutter.extend(clutter_meshes)
    rng = np.random.default_rng(seed)
    scene = finish(site, lawn, rng, full_sweep=False)
    points, visibility = sweep(scene, CALIBRATION, DEFAULT_IMAGE_SIZE, rng)
    objects = label(scene.names, scene.boxes, scene.meshes, visibility, CALIBRATION, DEFAULT_IMAGE_SIZE)
    return points, objects, visibility, scene


def test_points_of_a_car_lie_on_it():
    points, objects, visibility, scene = look([("Car", 15, 2, 0.4, CAR)])
    assert objects.names.tolist() == ["Car"]
    assert objects.occluded.tolist() == [0]
    assert objects.truncated[0] == 0
    above_ground = points[points[:, 2] > -MOUNT_HEIGHT + 0.15]
    grown = scene.boxes + np.array([0, 0, 0, 0.2, 0.2, 0.2, 0])
    assert (points_in_boxes(above_ground, grown) == 0).all()
    assert len(above_ground) > 200
    assert visibility.visible[0] == visibility.unoccluded[0] >= visibility.points[0] > 0.6 * visibility.visible[0]


def test_the_label_box_is_the_cars_box():
    _, objects, _, scene = look([("Car", 15, 2, 0.4, CAR)])
    np.testing.assert_allclose(CALIBRATION.boxes_to_lidar(objects), scene.boxes, atol=1e-4)


def test_a_car_behind_another_is_occluded():
    _, objects, visibility, _ = look([("Car", 12, 0, 0, CAR), ("Car", 24, 1.0, 0, CAR)])
    assert objects.occluded[0] == 0
    assert objects.occluded[1] >= 1
    assert visibility.visible[1] < visibility.unoccluded[1]


def test_a_half_hidden_car_is_partly_and_a_mostly_hidden_one_largely_occluded():
    across = ("Car", 20, 0, np.pi / 2, CAR)
    for edge, level in ((0.45, 1), (-0.8, 2)):  # a wall from y = edge to the left, at half the distance
        wall = block((10, edge + 5, 0), (0.2, 10, 6), Surface(0.4))
        assert look([across], [wall])[1].occluded.tolist() == [level]


def test_a_hidden_car_is_not_labelled_and_a_distant_one_is_dont_care():
    wall = block((10, 0, 0), (0.2, 12, 6), Surface(0.4))
    assert len(look([("Car", 20, 0, 0, CAR)], [wall])[1]) == 0
    far = look([("Pedestrian", 79.0, 0, 0, (0.5, 0.5, 1.2))])[1]
    assert far.names.tolist() == [DONT_CARE]
    assert far.truncated[0] == far.occluded[0] == -1
    assert far.location[0].tolist() == [-1000] * 3


def test_a_car_at_the_image_border_is_truncated_and_clipped():
    _, objects, _, _ = look([("Car", 8, -6.2, 0, CAR)])
    assert 0.1 < objects.truncated[0] < 0.95
    assert objects.bbox[0, 2] == DEFAULT_IMAGE_SIZE[0] - 1


def test_a_car_outside_the_image_is_not_labelled():
    assert len(look([("Car", 5, 12, 0, CAR)])[1]) == 0


def test_projection_of_a_block_is_that_of_its_corners():
    mesh = block((20, 1, -1), (2, 2, 1), Surface(0.5))
    pixels, _ = CALIBRATION.rect_to_image(CALIBRATION.lidar_to_rect(mesh.vertices))
    box, share = project(mesh, CALIBRATION, DEFAULT_IMAGE_SIZE)
    np.testing.assert_allclose(box, [*pixels.min(0), *pixels.max(0)])
    assert share == pytest.approx(0)


def test_a_block_that_passes_the_camera_is_cut_before_it():
    box, share = project(block((5, -2, -1), (12, 1, 1), Surface(0.5)), CALIBRATION, DEFAULT_IMAGE_SIZE)
    assert np.isfinite(box).all()
    assert box[2] == DEFAULT_IMAGE_SIZE[0] - 1
    assert 0 < share < 1
    behind = project(block((-9, 0, 0), (1, 1, 1), Surface(0.5)), CALIBRATION, DEFAULT_IMAGE_SIZE)
    assert behind[1] == 1


def test_occlusion_levels_follow_the_blocked_share():
    visible, unoccluded = np.array([100, 80, 49, 0, 0]), np.array([100, 100, 100, 100, 0])
    assert Visibility(np.zeros(5), visible, unoccluded).occluded().tolist() == [0, 1, 2, 2, 3]


def test_nothing_stands_in_anything_else():
    site = Site(Ground(np.array([0.0, 0.0, -MOUNT_HEIGHT])))
    assert site.add_object("Car", 20, 0, 0, CAR)
    assert not site.add_object("Car", 22, 0.5, 0, CAR)
    assert not site.add_clutter(clutter.pole(np.random.default_rng(0)), 20.5, 0.2, 0)
    assert not site.add_object("Car", 2, 0, 0, CAR)  # the sensor's own vehicle
    site.keep_visible = True
    assert not site.add_clutter(clutter.pole(np.random.default_rng(0)), 10, 0, 0)
    assert site.add_clutter(clutter.pole(np.random.default_rng(0)), 30, 0, 0)


def test_open3d_that_cannot_be_imported_says_what_to_run(monkeypatch):
    import builtins

    from kecor.errors import KecorError
    from kecor.simulation.casting import open3d

    real_import = builtins.__import__

    def broken(name, *args, **kwargs):
        if name == "open3d":
            raise ImportError("libusb-1.0.so.0: cannot open shared object file")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(KecorError, match=r"apt-get install libusb-1.0-0"):
        open3d()
