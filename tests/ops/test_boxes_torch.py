"""The kernels on boxes in plain torch: what the compiled ones give, here on the CPU."""

import numpy as np
import pytest
import torch

from kecor import ops
from kecor.ops import chunks, nearest_iou, nms, rotated_iou
from kecor.ops.points_in_boxes import count_points_in_boxes_torch, points_in_boxes_torch
from tests.ops import reference


def crowd(seed, n, spread=4.0):
    return reference.random_boxes(np.random.default_rng(seed), n, spread)


def odd_boxes():
    """Each box with itself, shifted by its size, without volume, turned by multiples of 90 degrees, and far away."""
    box = np.array([1, 2, -1, 4, 2, 1.5, 0.0])
    rows = [box, box, crowd(0, 1)[0], np.zeros(7)]
    rows += [np.where(np.arange(7) == 6, heading, box) for heading in (np.pi, -np.pi, np.pi / 2, -np.pi / 4, 7.0, 1e-9)]
    rows += [np.where(np.arange(7) == axis, 0.0, box) for axis in (3, 4, 5)]
    rows += [np.where(np.arange(7) == axis, -1.0, box) for axis in (3, 4, 5)]
    rows += [box + shift for shift in np.eye(7)[:3] * [[4], [2], [1.5]]]
    far = np.array([1e6, -1e6, 0, 0, 0, 0, 0.3])
    rows += [box * [1, 1, 1, 0.5, 0.5, 0.5, 1], box + far, box * [1, 1, 1, 1e6, 1e-6, 1, 1]]
    rows += [box * [1, 1, 1, -1, -1, -1, 1]]
    return np.array(rows)


SETS = {
    "a crowd": (crowd(1, 60), crowd(2, 70)),
    "slightly moved": (crowd(3, 50, 30), crowd(3, 50, 30) + np.random.default_rng(4).normal(0, 1e-4, (50, 7))),
    "duplicates": (np.repeat(crowd(5, 3), 4, 0), np.repeat(crowd(5, 3), 5, 0)),
    "odd": (odd_boxes(), odd_boxes()),
    "odd in a crowd": (odd_boxes(), crowd(6, 40)),
    "no a": (np.zeros((0, 7)), crowd(7, 3)),
    "no b": (crowd(7, 3), np.zeros((0, 7))),
}
KERNELS = {
    "iou_bev": (ops.iou_bev, rotated_iou.iou_bev_torch),
    "iou_3d": (ops.iou_3d, rotated_iou.iou_3d_torch),
    "iou_bev_aligned": (ops.iou_bev_aligned, nearest_iou.iou_bev_aligned_torch),
}


@pytest.fixture(params=["whole", "in pieces"])
def pieces(request, monkeypatch):
    if request.param == "in pieces":
        monkeypatch.setattr(chunks, "CHUNK_BYTES", 20_000)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("name", SETS)
def test_overlaps_of_pairs_differ_by_rounding_at_most(name):
    a, b = (boxes[: min(map(len, SETS[name]))] for boxes in SETS[name])
    got = rotated_iou.iou_3d_paired_torch(torch.from_numpy(a), torch.from_numpy(b))
    assert got.dtype == torch.float32
    np.testing.assert_allclose(got, ops.iou_3d_paired(a, b), atol=1e-6)
    with pytest.raises(ValueError, match="the same number of boxes"):
        rotated_iou.iou_3d_paired_torch(torch.zeros(1, 7), torch.zeros(2, 7))


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", SETS)
def test_overlaps_differ_by_rounding_at_most(name, kernel):
    a, b = SETS[name]
    compiled, in_torch = KERNELS[kernel]
    expected, got = compiled(a, b), in_torch(torch.from_numpy(a), torch.from_numpy(b))
    assert got.dtype == torch.float32
    assert got.shape == expected.shape
    assert (np.abs(got.numpy() - expected) <= np.spacing(np.maximum(expected, 1e-7))).all()


@pytest.mark.parametrize("vertical", [False, True])
def test_overlaps_agree_with_shapely(vertical):
    a, b = SETS["a crowd"]
    kernel = rotated_iou.iou_3d_torch if vertical else rotated_iou.iou_bev_torch
    expected = reference.iou(a, b, vertical)
    assert (expected > 0.05).sum() > 100
    np.testing.assert_allclose(kernel(torch.from_numpy(a), torch.from_numpy(b)), expected, atol=1e-6)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("block", [1, 7, 512])
@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.5, 0.8])
def test_suppression_keeps_the_same_boxes(monkeypatch, threshold, block):
    monkeypatch.setattr(nms, "BLOCK", block)
    for boxes in (crowd(8, 90), np.repeat(crowd(9, 6), 3, 0), np.concatenate([crowd(10, 20), odd_boxes()])):
        scores = np.random.default_rng(11).uniform(size=len(boxes)).round(1)
        scores[3] = np.nan
        for max_keep in (None, 0, 8):
            kept = nms.nms_bev_torch(torch.from_numpy(boxes), torch.from_numpy(scores), threshold, max_keep)
            assert kept.dtype == torch.int64
            assert kept.tolist() == ops.nms_bev(boxes, scores, threshold, max_keep).tolist()


def test_suppression_of_nothing():
    assert nms.nms_bev_torch(torch.zeros(0, 7), torch.zeros(0), 0.5).tolist() == []


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("name", ["a crowd", "odd", "no a", "duplicates"])
def test_the_same_points_lie_inside(name):
    boxes = SETS[name][0]
    rng = np.random.default_rng(12)
    spread = [rng.normal(boxes[:, :3], 1, (20, len(boxes), 3)).reshape(-1, 3), rng.normal([50, -20, -1], 4, (500, 3))]
    faces = [boxes[:, :3] + side * boxes[:, 3:6] / 2 * axis for side in (-1, 1) for axis in np.eye(3)]
    points = np.concatenate(spread + faces)
    points, boxes = torch.from_numpy(points), torch.from_numpy(boxes)
    first, count = points_in_boxes_torch(points, boxes), count_points_in_boxes_torch(points, boxes)
    assert (first.dtype, count.dtype) == (torch.int32, torch.int64)
    assert first.tolist() == ops.points_in_boxes(points.numpy(), boxes.numpy()).tolist()
    assert count.tolist() == ops.count_points_in_boxes(points.numpy(), boxes.numpy()).tolist()
    assert points_in_boxes_torch(points[:0], boxes).shape == (0,)
    assert count_points_in_boxes_torch(points[:0], boxes).tolist() == [0] * len(boxes)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (
            rotated_iou.iou_bev_torch,
            (torch.zeros(2, 7), torch.zeros(1, 8)),
            r"b: expected shape \(M, 7\), got \(1, 8\)",
        ),
        (rotated_iou.iou_3d_torch, (torch.zeros(7), torch.zeros(1, 7)), r"a: expected shape \(M, 7\), got \(7,\)"),
        (nearest_iou.iou_bev_aligned_torch, (torch.zeros(2, 7), torch.zeros(1, 6)), "b: expected shape"),
        (nms.nms_bev_torch, (torch.zeros(2, 7), torch.zeros(3), 0.5), r"scores: expected shape \(2,\), got \(3,\)"),
        (points_in_boxes_torch, (torch.zeros(3, 2), torch.zeros(1, 7)), "points: expected shape"),
        (count_points_in_boxes_torch, (torch.zeros(3, 3), torch.zeros(1, 6)), "boxes: expected shape"),
    ],
)
def test_wrong_shapes(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)
