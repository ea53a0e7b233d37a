"""Variances of boxes by hand and by brute force."""

import math

import numpy as np
import pytest

from kecor.acquisition import MCDropout
from kecor.acquisition.dropout.boxes import box_variances, mean_boxes
from kecor.acquisition.dropout.mc_dropout import summed_variance
from kecor.errors import SelectionError
from kecor.structures import Budget, FrameSet

CAR = np.array([10.0, -3, -1, 4, 3, 1.5, 0.2])  # its footprint's diagonal is 5


def two(column, difference):
    """(1, 2, 7): a car in two passes that differ in one number."""
    boxes = np.tile(CAR, (1, 2, 1))
    boxes[0, :, column] += [-difference / 2, difference / 2]
    return boxes


def random_boxes(rng, n, passes):
    boxes = rng.normal(0, 5, (n, 1, 7)) + rng.normal(0, 0.3, (n, passes, 7))
    boxes[..., 3:6] = np.exp(boxes[..., 3:6] / 5)
    return boxes


def test_offsets_are_measured_by_the_size_of_the_box():
    np.testing.assert_allclose(box_variances(two(0, 1.0)), [[0.01, 0, 0, 0, 0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(box_variances(two(1, 2.0)), [[0, 0.04, 0, 0, 0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(box_variances(two(2, 0.3)), [[0, 0, 0.01, 0, 0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(box_variances(two(6, 0.2)), [[0, 0, 0, 0, 0, 0, 0.01]], atol=1e-12)


def test_a_box_twice_as_long_counts_by_its_log():
    boxes = np.tile(CAR, (1, 2, 1))
    boxes[0, 1, 3:6] *= 2
    np.testing.assert_allclose(box_variances(boxes)[0, 3:6], (math.log(2) / 2) ** 2)


@pytest.mark.parametrize("heading", [0.0, math.pi / 2, 3.1, math.pi, -math.pi, -1.6])
def test_headings_wrap_and_a_flip_is_no_variance(heading):
    boxes = np.tile(CAR, (1, 4, 1))
    boxes[0, :, 6] = heading + np.array([-0.1, 0.1, 0.1 + np.pi, -0.1 - np.pi])
    boxes[0, :, 6] = (boxes[0, :, 6] + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(box_variances(boxes), [[0, 0, 0, 0, 0, 0, 0.01]], atol=1e-12)
    turn = mean_boxes(boxes)[0, 6] - heading
    assert turn - np.pi * round(turn / np.pi) == pytest.approx(0, abs=1e-9)


def test_brute_force():
    rng = np.random.default_rng(0)
    for row, got in zip(boxes := random_boxes(rng, 20, 7), summed_variance(boxes)):
        columns = [[float(box[k]) for box in row] for k in range(7)]
        means = [sum(c) / 7 for c in columns]
        logs = [[math.log(v) for v in c] for c in columns[3:6]]
        expected = sum((v - means[0]) ** 2 + (w - means[1]) ** 2 for v, w in zip(columns[0], columns[1])) / 7
        expected /= means[3] ** 2 + means[4] ** 2
        expected += sum((v - means[2]) ** 2 for v in columns[2]) / 7 / means[5] ** 2
        expected += sum((v - sum(c) / 7) ** 2 for c in logs for v in c) / 7
        angle = math.atan2(sum(math.sin(2 * h) for h in columns[6]), sum(math.cos(2 * h) for h in columns[6])) / 2
        for h in columns[6]:
            expected += min(abs(h - angle + k * math.pi) for k in range(-9, 10)) ** 2 / 7
        assert got == pytest.approx(expected, rel=1e-9)


def test_turning_and_moving_the_scene_changes_nothing():
    boxes = random_boxes(np.random.default_rng(1), 10, 5)
    moved, angle = boxes.copy(), 2.0
    moved[..., 0] = boxes[..., 0] * np.cos(angle) - boxes[..., 1] * np.sin(angle) + 40
    moved[..., 1] = boxes[..., 0] * np.sin(angle) + boxes[..., 1] * np.cos(angle) - 7
    moved[..., 6] += angle
    np.testing.assert_allclose(summed_variance(moved), summed_variance(boxes), rtol=1e-9)


def test_frames_whose_boxes_scatter_come_first():
    spread = np.array([0.2, 0.0, 1.0, 0.5])
    boxes = np.concatenate([two(0, s) for s in spread])[:, None]
    pool = FrameSet(list("abcd"), {"pass_boxes": boxes, "roi_mask": np.ones((4, 1), bool)})
    selection = MCDropout().select(pool, FrameSet([]), Budget(4), np.random.default_rng(0))
    assert "".join(pool.ids[selection.indices]) == "cdab"
    np.testing.assert_allclose(selection.scores, (spread / 2 / 5) ** 2)


def test_a_box_without_size_is_an_error():
    with pytest.raises(SelectionError, match="size that is not above 0"):
        summed_variance(two(3, 8.0))
