import numpy as np
import pytest

from kecor import ops
from tests.ops import reference


def plain_greedy(boxes, scores, threshold):
    iou = reference.iou(boxes, boxes)
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(iou[k, i] <= threshold for k in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.5, 0.8])
def test_equals_plain_greedy_with_shapely(threshold):
    rng = np.random.default_rng(4)
    boxes = reference.random_boxes(rng, 80)
    scores = rng.uniform(size=80).round(1).astype(np.float32)  # with ties
    kept = ops.nms_bev(boxes, scores, threshold)
    assert kept.dtype == np.int64
    assert kept.tolist() == plain_greedy(boxes, scores, threshold)
    assert ops.nms_bev(boxes, scores, threshold, max_keep=5).tolist() == kept[:5].tolist()


def test_of_duplicates_the_first_stays():
    boxes = np.repeat(reference.random_boxes(np.random.default_rng(5), 1), 4, 0)
    assert ops.nms_bev(boxes, np.full(4, 0.5), 0.5).tolist() == [0]
    assert ops.nms_bev(boxes, np.array([0.1, 0.9, 0.9, 0.2]), 0.5).tolist() == [1]


def test_boxes_without_area_all_stay():
    boxes = np.zeros((3, 7))
    assert ops.nms_bev(boxes, np.array([0.1, 0.3, 0.2]), 0.0).tolist() == [1, 2, 0]


def test_nothing_in_nothing_out():
    kept = ops.nms_bev(np.zeros((0, 7)), np.zeros(0), 0.5)
    assert kept.shape == (0,)
    assert kept.dtype == np.int64
    assert len(ops.nms_bev(reference.random_boxes(np.random.default_rng(6), 3), np.ones(3), 0.5, max_keep=0)) == 0


def test_scores_must_match():
    with pytest.raises(ValueError, match=r"scores: expected shape \(2,\), got \(3,\)"):
        ops.nms_bev(np.zeros((2, 7)), np.zeros(3), 0.5)
