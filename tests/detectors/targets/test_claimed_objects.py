"""RoIs that claim true boxes, against a search written out in plain Python."""

import numpy as np
import pytest

from kecor import ops
from kecor.detectors.targets.claimed_objects import claimed_objects


def boxes(rng, n):
    xy = rng.uniform(0, 8, (n, 2))
    return np.column_stack([xy, np.zeros(n), np.tile([4.0, 2.0, 1.5], (n, 1)), rng.uniform(-3, 3, n)]).astype(
        np.float32
    )


@pytest.mark.parametrize("seed", range(20))
def test_equals_a_plain_search(seed):
    rng = np.random.default_rng(seed)
    rois, truth = boxes(rng, 12), boxes(rng, 5)
    scores, labels, classes = rng.random(12), rng.integers(2, size=12), rng.integers(2, size=5)
    free, expected = set(range(5)), [False] * 12
    for roi in sorted(range(12), key=lambda i: -scores[i]):
        overlap = {m: ops.iou_bev(rois[[roi]], truth[[m]])[0, 0] for m in free if classes[m] == labels[roi]}
        overlap = {m: value for m, value in overlap.items() if value >= 0.25}
        if overlap:
            free.remove(max(overlap, key=overlap.get))
            expected[roi] = True
    assert claimed_objects(rois, scores, labels, truth, classes).tolist() == expected


def test_a_true_box_counts_once_for_the_best_roi_whatever_its_height():
    truth = np.array([[5, 0, 0, 4, 2, 1.5, 0]], np.float32)
    rois = np.repeat(truth, 3, 0)
    rois[:, 2] = 9
    claims = claimed_objects(rois, np.array([0.2, 0.9, 0.9]), np.zeros(3, int), truth, np.zeros(1, int))
    assert claims.tolist() == [False, True, False]


def test_nothing_to_claim():
    none, ones = np.zeros((0, 7), np.float32), np.ones((2, 7), np.float32)
    assert claimed_objects(none, np.zeros(0), np.zeros(0), ones, np.zeros(2)).shape == (0,)
    assert not claimed_objects(ones, np.ones(2), np.zeros(2), none, np.zeros(0)).any()
    assert not claimed_objects(ones, np.ones(2), np.zeros(2), ones, np.ones(2)).any()
