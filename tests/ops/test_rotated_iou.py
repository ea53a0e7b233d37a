import numpy as np
import pytest

from kecor import ops
from tests.ops import reference

UNIT = np.array([[0.0, 0, 0, 4, 2, 1.5, 0]])


def with_(**changes):
    row = dict(zip(["x", "y", "z", "dx", "dy", "dz", "heading"], UNIT[0].tolist())) | changes
    return np.array([list(row.values())])


@pytest.mark.parametrize("vertical", [False, True])
def test_random_boxes_agree_with_shapely(vertical):
    rng = np.random.default_rng(1)
    a, b = reference.random_boxes(rng, 40), reference.random_boxes(rng, 50)
    expected = reference.iou(a, b, vertical)
    got = (ops.iou_3d if vertical else ops.iou_bev)(a, b)
    assert got.dtype == np.float32
    assert (expected > 0.05).sum() > 100
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_pairs_are_the_diagonal_and_agree_with_shapely():
    rng = np.random.default_rng(4)
    a = reference.random_boxes(rng, 60)
    b = a + rng.uniform(-0.3, 0.3, a.shape).astype(np.float32)
    got = ops.iou_3d_paired(a, b)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, ops.iou_3d(a, b).diagonal())
    np.testing.assert_allclose(got, reference.iou(a, b, vertical=True).diagonal(), atol=1e-6)
    assert ops.iou_3d_paired(a[:0], b[:0]).shape == (0,)
    with pytest.raises(ValueError, match="the same number of boxes, got 60 and 59"):
        ops.iou_3d_paired(a, b[1:])


def test_slightly_moved_boxes_agree_with_shapely():
    rng = np.random.default_rng(2)
    a = reference.random_boxes(rng, 60, spread=30)
    b = a + rng.normal(0, 1e-4, a.shape).astype(np.float32)
    np.testing.assert_allclose(ops.iou_bev(a, b), reference.iou(a, b), atol=1e-6)


@pytest.mark.parametrize("heading", [0.0, 0.3, np.pi / 4, np.pi / 2, np.pi, -np.pi, 3.0])
def test_identical_boxes_overlap_wholly(heading):
    box = with_(x=70.3, y=-39.1, heading=heading)
    assert ops.iou_bev(box, box)[0, 0] == pytest.approx(1, abs=1e-6)
    assert ops.iou_3d(box, box)[0, 0] == pytest.approx(1, abs=1e-6)


def test_opposite_headings_are_the_same_footprint():
    boxes = np.vstack([with_(heading=h) for h in (np.pi, -np.pi, 0, 2 * np.pi)])
    np.testing.assert_allclose(ops.iou_bev(boxes, boxes), 1, atol=1e-6)


def test_nested_boxes():
    inner = with_(dx=2, dy=1, heading=0.1)
    assert ops.iou_bev(UNIT, inner)[0, 0] == pytest.approx(0.25, abs=1e-6)
    assert ops.iou_bev(inner, UNIT)[0, 0] == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize("moved", [{"x": 4.0}, {"y": 2.0}, {"x": 4.0, "y": 2.0}, {"x": 3.0, "heading": np.pi / 2}])
def test_touching_boxes_share_nothing(moved):
    assert ops.iou_bev(UNIT, with_(**moved))[0, 0] == pytest.approx(0, abs=1e-6)


def test_a_cross_and_a_diamond_by_hand():
    assert ops.iou_bev(UNIT, with_(heading=np.pi / 2))[0, 0] == pytest.approx(4 / 12, abs=1e-6)
    square, diamond = with_(dx=2), with_(dx=2, heading=np.pi / 4)
    octagon = 8 * (np.sqrt(2) - 1)
    assert ops.iou_bev(square, diamond)[0, 0] == pytest.approx(octagon / (8 - octagon), abs=1e-6)


def test_height_counts_in_3d_alone():
    half_up, above = with_(z=0.75), with_(z=1.5)
    assert ops.iou_bev(UNIT, above)[0, 0] == pytest.approx(1)
    assert ops.iou_3d(UNIT, half_up)[0, 0] == pytest.approx(1 / 3, abs=1e-6)
    assert ops.iou_3d(UNIT, above)[0, 0] == 0


@pytest.mark.parametrize("size", ["dx", "dy", "dz"])
def test_a_box_without_volume_overlaps_nothing(size):
    flat = with_(**{size: 0.0})
    assert ops.iou_3d(flat, UNIT)[0, 0] == ops.iou_3d(UNIT, flat)[0, 0] == ops.iou_3d(flat, flat)[0, 0] == 0
    assert ops.iou_3d(with_(**{size: -1.0}), UNIT)[0, 0] == 0


@pytest.mark.parametrize("function", [ops.iou_bev, ops.iou_3d, ops.iou_bev_aligned])
def test_no_boxes(function):
    assert function(np.zeros((0, 7)), UNIT).shape == (0, 1)
    assert function(UNIT, np.zeros((0, 7), np.float32)).shape == (1, 0)
    with pytest.raises(ValueError, match=r"b: expected shape \(M, 7\), got \(1, 8\)"):
        function(UNIT, np.zeros((1, 8)))


def test_nearest_axis_overlap_equals_the_rotated_one_of_rounded_boxes():
    rng = np.random.default_rng(3)
    a, b = reference.random_boxes(rng, 30), reference.random_boxes(rng, 30)
    rounded = [boxes.astype(np.float64).copy() for boxes in (a, b)]
    for boxes in rounded:
        boxes[:, 6] = np.round(boxes[:, 6] / (np.pi / 2)) * np.pi / 2
    np.testing.assert_allclose(ops.iou_bev_aligned(a, b), reference.iou(*rounded), atol=1e-6)
    assert ops.iou_bev_aligned(with_(dx=0.0), UNIT)[0, 0] == 0
