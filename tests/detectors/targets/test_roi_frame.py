import math

import numpy as np
import pytest
import torch

from kecor.detectors.targets.roi_frame import canonical_residuals, corners, decode_residuals, to_canonical
from kecor.geometry import boxes as numpy_boxes

ROI = [10.0, -4.0, -1.0, 4.0, 2.0, 1.5, 0.7]


def pairs(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 7) float64 boxes and regions near each other, their headings unrelated."""
    rng = np.random.default_rng(seed)
    rois = np.column_stack([rng.normal(0, 20, (n, 3)), rng.uniform(0.5, 5, (n, 3)), rng.uniform(-math.pi, math.pi, n)])
    moved = rois[:, :3] + rng.normal(0, 1, (n, 3))
    boxes = np.column_stack([moved, rng.uniform(0.5, 5, (n, 3)), rng.uniform(-math.pi, math.pi, n)])
    return torch.from_numpy(boxes), torch.from_numpy(rois)


def half_turns(angle: torch.Tensor) -> torch.Tensor:
    """How far angles are from the nearest multiple of pi."""
    return (angle - torch.round(angle / math.pi) * math.pi).abs()


def test_a_box_in_its_region_is_where_a_hand_drawn_picture_puts_it():
    roi = torch.tensor([[10.0, 5.0, 1.0, 4.0, 3.0, 2.0, math.pi / 2]])  # looks to the left
    box = torch.tensor([[9.0, 7.0, 1.5, 4.4, 2.0, 1.0, math.pi / 2 - 0.2]])  # 2 m ahead of it, 1 m to its left
    expected = torch.tensor([[2.0, 1.0, 0.5, 4.4, 2.0, 1.0, -0.2]])
    torch.testing.assert_close(to_canonical(box, roi), expected, atol=1e-6, rtol=0)
    residuals = torch.tensor([[0.4, 0.2, 0.25, math.log(1.1), math.log(2 / 3), math.log(0.5), -0.2]])  # diagonal 5
    torch.testing.assert_close(canonical_residuals(box, roi), residuals, atol=1e-6, rtol=0)
    torch.testing.assert_close(decode_residuals(residuals, roi), box, atol=2e-6, rtol=0)


@pytest.mark.parametrize(
    ("box_heading", "roi_heading", "expected"),
    [
        (0.3, 0.1, 0.2),
        (0.3 + math.pi, 0.1, 0.2),  # flipped
        (0.3 - math.pi, 0.1, 0.2),
        (-math.pi, math.pi, 0.0),  # the same heading, written differently
        (3.1, -3.1, 6.2 - 2 * math.pi),
        (0.1, math.pi, 0.1),
        (0.1, -math.pi, 0.1),
        (math.pi / 2 - 0.01, 0.0, math.pi / 2 - 0.01),
        (math.pi / 2 + 0.01, 0.0, 0.01 - math.pi / 2),
    ],
)
def test_heading_difference_is_the_small_one_of_two_directions(box_heading, roi_heading, expected):
    box, roi = torch.tensor([[*ROI[:6], box_heading]]), torch.tensor([[*ROI[:6], roi_heading]])
    assert float(to_canonical(box, roi)[0, 6]) == pytest.approx(expected, abs=1e-6)


def plain_residuals(boxes, rois):
    """The formula written out in float64."""
    offset = boxes[:, :3] - rois[:, :3]
    cos, sin = np.cos(rois[:, 6]), np.sin(rois[:, 6])
    diagonal = np.hypot(rois[:, 3], rois[:, 4])
    along = (offset[:, 0] * cos + offset[:, 1] * sin) / diagonal
    across = (offset[:, 1] * cos - offset[:, 0] * sin) / diagonal
    heading = (boxes[:, 6] - rois[:, 6] + np.pi / 2) % np.pi - np.pi / 2
    return np.column_stack([along, across, offset[:, 2] / rois[:, 5], np.log(boxes[:, 3:6] / rois[:, 3:6]), heading])


def test_residuals_are_those_of_the_formula():
    boxes, rois = pairs(500)
    expected = plain_residuals(boxes.numpy(), rois.numpy())
    np.testing.assert_allclose(canonical_residuals(boxes, rois).numpy(), expected, atol=1e-12)
    single = canonical_residuals(boxes.float(), rois.float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), expected, atol=2e-5)
    assert np.abs(expected[:, 6]).max() > 1.5  # the whole range is there


def test_decoding_brings_a_turned_and_moved_box_back():
    boxes, rois = pairs(500)
    back = decode_residuals(canonical_residuals(boxes, rois), rois)
    torch.testing.assert_close(back[:, :6], boxes[:, :6], atol=1e-10, rtol=0)
    assert half_turns(back[:, 6] - boxes[:, 6]).max() < 1e-10
    assert (back[:, 6] - rois[:, 6]).abs().max() <= math.pi / 2 + 1e-10


@pytest.mark.parametrize("heading", [0.7, math.pi, -math.pi, 0.0])
def test_a_region_equal_to_its_box_has_zero_residuals_and_zero_residuals_give_the_region(heading):
    roi = torch.tensor([[*ROI[:6], heading]])
    assert not canonical_residuals(roi, roi).any()
    torch.testing.assert_close(decode_residuals(torch.zeros(1, 7), roi), roi, atol=0, rtol=0)


def test_residuals_do_not_change_when_box_and_region_move_together():
    boxes, rois = pairs(100)
    expected = canonical_residuals(boxes, rois)
    for angle in (0.9, math.pi, -2.5):
        moved = []
        for tensor in (boxes, rois):
            array = tensor.numpy().copy()
            array[:, :3] = numpy_boxes.rotate_points(array[:, :3], angle)
            array[:, :3] += [3.0, -7.0, 0.5]
            array[:, 6] = (array[:, 6] + angle + math.pi) % (2 * math.pi) - math.pi
            moved.append(torch.from_numpy(array))
        torch.testing.assert_close(canonical_residuals(*moved), expected, atol=1e-9, rtol=0)


def test_corners_are_those_of_the_geometry_module():
    boxes, _ = pairs(200)
    np.testing.assert_allclose(corners(boxes).numpy(), numpy_boxes.corners(boxes.numpy()), atol=1e-12)
    np.testing.assert_allclose(corners(boxes.float()).numpy(), numpy_boxes.corners(boxes.numpy()), atol=2e-5)


def test_gradients_are_right():
    boxes, rois = pairs(6)
    residuals = canonical_residuals(boxes, rois).requires_grad_()
    boxes, rois = boxes.requires_grad_(), rois.requires_grad_()
    assert torch.autograd.gradcheck(decode_residuals, (residuals, rois))
    assert torch.autograd.gradcheck(canonical_residuals, (boxes, rois))
    assert torch.autograd.gradcheck(corners, boxes)


def test_no_region_gives_no_row():
    none = torch.zeros(0, 7)
    assert to_canonical(none, none).shape == canonical_residuals(none, none).shape == (0, 7)
    assert decode_residuals(none, none).shape == (0, 7)
    assert corners(none).shape == (0, 8, 3)


def test_half_precision_is_computed_with_in_single():
    boxes, rois = (tensor.bfloat16() for tensor in pairs(20))
    with torch.autocast("cpu", torch.bfloat16):
        halves = [canonical_residuals(boxes, rois), decode_residuals(boxes / 10, rois), corners(boxes)]
    singles = [canonical_residuals(boxes.float(), rois.float())]
    singles += [decode_residuals((boxes / 10).float(), rois.float()), corners(boxes.float())]
    for half, single in zip(halves, singles):
        assert half.dtype == torch.float32
        torch.testing.assert_close(half, single, atol=0, rtol=0)
