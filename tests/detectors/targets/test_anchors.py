import numpy as np
import pytest
import torch

from kecor.detectors.targets import box_coder
from kecor.detectors.targets.anchors import KITTI_ANCHORS, class_anchors
from kecor.detectors.targets.target_assigner import BACKGROUND, IGNORED, aligned_overlap, assign

RANGE = (0.0, -40.0, -3.0, 70.4, 40.0, 1.0)


def random_boxes(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [
            rng.uniform(0, 30, n),
            rng.uniform(-15, 15, n),
            rng.uniform(-2, 0, n),
            rng.uniform(0.5, 5, (n, 3)),
            rng.uniform(-np.pi, np.pi, n),
        ]
    )


def test_anchors_by_hand():
    car = class_anchors(KITTI_ANCHORS[0], RANGE, (200, 176))
    assert car.shape == (200, 176, 2, 7)
    np.testing.assert_allclose(car[0, 0, 0], [0, -40, -1.0, 3.9, 1.6, 1.56, 0], atol=1e-6)
    np.testing.assert_allclose(car[-1, -1, 1], [70.4, 40, -1.0, 3.9, 1.6, 1.56, 1.57], atol=1e-5)
    np.testing.assert_allclose(car[3, 5, 0, :2], [5 * 70.4 / 175, -40 + 3 * 80 / 199], atol=1e-5)
    pedestrian = class_anchors(KITTI_ANCHORS[1], RANGE, (200, 176))
    np.testing.assert_allclose(pedestrian[7, 7, 1, 2:], [-0.6 + 1.73 / 2, 0.8, 0.6, 1.73, 1.57], atol=1e-6)


def test_residuals_by_hand_and_round_trip():
    anchor = torch.tensor([[10.0, 2.0, -1.0, 4.0, 3.0, 2.0, 0.5]])
    box = torch.tensor([[11.0, 1.0, 0.0, 8.0, 1.5, 2.0, 0.7]])
    expected = torch.tensor([[0.2, -0.2, 0.5, np.log(2), -np.log(2), 0.0, 0.2]], dtype=torch.float32)
    torch.testing.assert_close(box_coder.encode(box, anchor), expected)
    boxes, anchors = torch.tensor(random_boxes(500, 0)), torch.tensor(random_boxes(500, 1))
    torch.testing.assert_close(box_coder.decode(box_coder.encode(boxes, anchors), anchors), boxes)


@pytest.mark.parametrize("flip", [0.0, np.pi, -np.pi])
def test_heading_comes_back_from_its_direction_bin_even_when_the_residual_is_half_a_turn_off(flip):
    heading = torch.linspace(-np.pi, np.pi, 1441, dtype=torch.float64)[:-1]
    edge = ((heading - box_coder.DIRECTION_OFFSET) % np.pi).remainder(np.pi)
    heading = heading[(edge > 1e-6) & (edge < np.pi - 1e-6)]
    bins = box_coder.direction_bin(heading)
    assert set(bins.tolist()) == {0, 1}
    got = box_coder.decode_heading(heading + flip, bins)
    torch.testing.assert_close(got, heading, atol=1e-9, rtol=0)
    opposite = box_coder.decode_heading(heading, 1 - bins)
    torch.testing.assert_close((opposite - heading).cos(), -torch.ones_like(heading))


def brute_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Axis-aligned IoU, one pair, after turning each box to the nearest axis."""
    rectangles = []
    for box in (a, b):
        turned = abs((box[6] + np.pi / 2) % np.pi - np.pi / 2)
        dx, dy = (box[3], box[4]) if turned < np.pi / 4 else (box[4], box[3])
        rectangles.append((box[0] - dx / 2, box[1] - dy / 2, box[0] + dx / 2, box[1] + dy / 2))
    (ax, ay, ax2, ay2), (bx, by, bx2, by2) = rectangles
    shared = max(min(ax2, bx2) - max(ax, bx), 0) * max(min(ay2, by2) - max(ay, by), 0)
    return shared / ((ax2 - ax) * (ay2 - ay) + (bx2 - bx) * (by2 - by) - shared)


def test_overlap_is_the_brute_force_one():
    a, b = random_boxes(60, 2), random_boxes(40, 3)
    expected = np.array([[brute_iou(x, y) for y in b] for x in a])
    assert (expected > 0).sum() > 20
    np.testing.assert_allclose(aligned_overlap(torch.tensor(a), torch.tensor(b)).numpy(), expected, atol=1e-12)


def test_assignment_follows_the_rule_anchor_by_anchor():
    anchors = class_anchors(KITTI_ANCHORS[0], (0, -16, -3, 32, 16, 1), (40, 40)).view(-1, 7).double()
    boxes = random_boxes(12, 4)
    boxes[:, 3:6] = [3.9, 1.7, 1.5]
    boxes[5, 3:5] = [0.4, 0.3]  # no anchor comes near 0.6: its best one answers
    boxes[6, :2] = [500, 500]  # no anchor touches it: nobody answers
    iou = np.array([[brute_iou(a, b) for b in boxes] for a in anchors.numpy()])
    best = iou.max(0)
    expected = []
    for row in iou:
        forced = any(v == m and m > 0 for v, m in zip(row, best))
        if row.max() >= 0.6 or forced:
            expected.append(2)
        else:
            expected.append(BACKGROUND if row.max() < 0.45 else IGNORED)
    labels, residuals = assign(anchors, torch.tensor(boxes), 2, 0.6, 0.45)
    assert labels.tolist() == expected
    assert set(expected) == {2, BACKGROUND, IGNORED}
    assert residuals[labels < 0].abs().max() == 0
    for index in (labels == 2).nonzero().squeeze(1).tolist():
        decoded = box_coder.decode(residuals[index], anchors[index])
        np.testing.assert_allclose(decoded.numpy(), boxes[iou[index].argmax()], atol=1e-9)
    assert labels[iou[:, 5].argmax()] == 2


def test_without_boxes_everything_is_background():
    anchors = class_anchors(KITTI_ANCHORS[1], RANGE, (8, 8)).view(-1, 7)
    labels, residuals = assign(anchors, torch.zeros(0, 7), 1, 0.5, 0.35)
    assert (labels == BACKGROUND).all()
    assert residuals.abs().max() == 0


def test_decoding_stays_finite_whatever_a_head_says():
    anchors = torch.tensor([[10.0, 0.0, -1.0, 3.9, 1.6, 1.56, 0.0]])
    boxes = box_coder.decode(torch.tensor([[0.0, 0.0, 0.0, 300.0, -300.0, 0.0, 0.0]]), anchors)
    torch.testing.assert_close(boxes[0, 3:6], torch.tensor([3.9 * 62.5, 1.6 / 62.5, 1.56]))
