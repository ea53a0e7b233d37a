import numpy as np
import pytest

from kecor.geometry import bev_corners, corners, rotate_points

BOX = np.array([[10.0, -4.0, 1.0, 4.0, 2.0, 1.5, 0.0]], np.float32)


def test_corner_order_of_an_unturned_box():
    expected = [[12, -3], [8, -3], [8, -5], [12, -5]]
    np.testing.assert_allclose(bev_corners(BOX)[0], expected)
    eight = corners(BOX)[0]
    np.testing.assert_allclose(eight[:4, :2], expected)
    np.testing.assert_allclose(eight[4:, :2], expected)
    np.testing.assert_allclose(eight[:, 2], [0.25] * 4 + [1.75] * 4)


def test_a_quarter_turn_brings_the_front_to_the_left():
    turned = BOX.copy()
    turned[:, 6] = np.pi / 2
    np.testing.assert_allclose(bev_corners(turned)[0], [[9, -2], [9, -6], [11, -6], [11, -2]], atol=1e-6)


def test_corners_are_counter_clockwise_and_enclose_the_area():
    rng = np.random.default_rng(0)
    boxes = np.hstack([rng.normal(0, 30, (50, 3)), rng.uniform(0.2, 8, (50, 3)), rng.uniform(-np.pi, np.pi, (50, 1))])
    x, y = bev_corners(boxes).transpose(2, 0, 1)
    area = 0.5 * (x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(1)
    np.testing.assert_allclose(area, boxes[:, 3] * boxes[:, 4])
    np.testing.assert_allclose(corners(boxes).mean(1), boxes[:, :3], atol=1e-12)


def test_headings_of_plus_and_minus_pi_are_the_same_box():
    plus, minus = BOX.astype(np.float64), BOX.astype(np.float64)
    plus[:, 6], minus[:, 6] = np.pi, -np.pi
    np.testing.assert_allclose(corners(plus), corners(minus), atol=1e-12)


def test_rotation_turns_x_towards_y_and_keeps_the_rest():
    points = np.array([[1, 0, 5, 0.3], [0, 2, 6, 0.4]], np.float32)
    turned = rotate_points(points, np.pi / 2)
    np.testing.assert_allclose(turned, [[0, 1, 5, 0.3], [-2, 0, 6, 0.4]], atol=1e-6)
    assert turned.dtype == np.float32
    assert points[0, 0] == 1  # the input is untouched


def test_rotation_agrees_with_the_heading_of_a_box():
    turned = BOX.astype(np.float64)
    turned[:, 6] = 0.7
    local = bev_corners(np.r_[0, 0, 0, BOX[0, 3:6], 0])[0]
    np.testing.assert_allclose(bev_corners(turned)[0], rotate_points(local, 0.7) + BOX[0, :2])


@pytest.mark.parametrize("function", [corners, bev_corners])
def test_no_box_gives_no_corner(function):
    assert len(function(np.zeros((0, 7)))) == 0


def test_whole_numbers_are_not_truncated():
    np.testing.assert_allclose(rotate_points(np.array([[1, 0]]), 0.5), [[np.cos(0.5), np.sin(0.5)]])
