import numpy as np
import pytest

from kecor import ops
from tests.ops import reference


def brute_force(points, boxes):
    """(N, M) mask in float64."""
    points, boxes = np.asarray(points, np.float64), np.asarray(boxes, np.float64)
    mask = np.zeros((len(points), len(boxes)), bool)
    for j, (x, y, z, dx, dy, dz, heading) in enumerate(boxes):
        back = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
        local = (points[:, :2] - [x, y]) @ back.T
        mask[:, j] = (np.abs(np.column_stack([local, points[:, 2] - z])) <= np.array([dx, dy, dz]) / 2).all(1)
    return mask


def test_equals_brute_force():
    rng = np.random.default_rng(7)
    boxes = reference.random_boxes(rng, 12)
    points = np.column_stack([rng.normal([50, -20, -1], [4, 4, 1], (8000, 3)), np.zeros(8000)]).astype(np.float32)
    mask = brute_force(points[:, :3], boxes)
    assert (mask.sum(1) > 1).sum() > 50  # boxes overlap
    first = ops.points_in_boxes(points, boxes)
    assert first.dtype == np.int32
    np.testing.assert_array_equal(first, np.where(mask.any(1), mask.argmax(1), -1))
    count = ops.count_points_in_boxes(points, boxes)
    assert count.dtype == np.int64
    np.testing.assert_array_equal(count, mask.sum(0))


@pytest.mark.parametrize("heading", [0.0, np.pi, -np.pi])
def test_faces_belong_to_the_box(heading):
    box = np.array([[0, 0, 0, 4, 2, 1, heading]])
    on = np.array([[2, 0, 0], [-2, 0, 0], [0, 0, 0.5], [0, 0, -0.5]])
    off = np.array([[2.001, 0, 0], [0, 1.001, 0], [0, 0, 0.501]])
    assert ops.points_in_boxes(on, box).tolist() == [0] * 4
    assert ops.points_in_boxes(off, box).tolist() == [-1] * 3


def test_nothing():
    box = np.array([[0, 0, 0, 4, 2, 1, 0.0]])
    assert ops.points_in_boxes(np.zeros((0, 4)), box).shape == (0,)
    assert ops.points_in_boxes(np.zeros((3, 4)), np.zeros((0, 7))).tolist() == [-1] * 3
    assert ops.count_points_in_boxes(np.zeros((0, 3)), box).tolist() == [0]
    assert ops.count_points_in_boxes(np.zeros((3, 4)), np.zeros((0, 7))).shape == (0,)
    with pytest.raises(ValueError, match="points: expected shape"):
        ops.points_in_boxes(np.zeros((3, 2)), box)
