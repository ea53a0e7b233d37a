import numpy as np
import pytest
import torch

from kecor.detectors.post_processing import best
from kecor.detectors.targets.proxy_targets import proxy_targets
from kecor.detectors.targets.roi_frame import canonical_residuals
from kecor.ops.roi_pool import pool_bev

CELL, ORIGIN = (0.4, 0.5), (2.0, -10.0)


def linear_map() -> torch.Tensor:
    """Two channels that hold x and y, in metres, of each cell."""
    y = ORIGIN[1] + CELL[1] * torch.arange(40.0)
    x = ORIGIN[0] + CELL[0] * torch.arange(50.0)
    return torch.stack([x.expand(40, 50), y[:, None].expand(40, 50)])


def test_pooling_a_linear_map_gives_the_centre_of_the_box():
    boxes = torch.tensor([[10.0, 1.0, 0, 4, 2, 1, 0.7], [5.3, -4.2, 0, 1, 1, 1, -2.5]])
    torch.testing.assert_close(pool_bev(linear_map(), boxes, ORIGIN, CELL), boxes[:, :2], atol=1e-4, rtol=0)


def test_pooling_reads_nine_points_inside_the_rotated_box():
    features = linear_map().square()
    x, y, dx, dy, heading = 10.0, 1.0, 6.0, 1.5, 0.7
    steps = np.array([-1 / 3, 0, 1 / 3])
    u, v = (g.ravel() for g in np.meshgrid(steps * dx, steps * dy))
    column = (x + u * np.cos(heading) - v * np.sin(heading) - ORIGIN[0]) / CELL[0]
    row = (y + u * np.sin(heading) + v * np.cos(heading) - ORIGIN[1]) / CELL[1]
    values = []
    for r, c in zip(row, column):
        i, j = int(r), int(c)
        a, b = r - i, c - j
        patch = features[:, i : i + 2, j : j + 2].numpy().astype(np.float64)
        values.append(np.einsum("crs,r,s->c", patch, [1 - a, a], [1 - b, b]))
    got = pool_bev(features, torch.tensor([[x, y, 0, dx, dy, 1, heading]]), ORIGIN, CELL)
    np.testing.assert_allclose(got[0].numpy(), np.mean(values, axis=0), rtol=1e-5)


def test_pooling_outside_the_map_reads_its_edge_and_no_box_gives_no_row():
    outside = pool_bev(linear_map(), torch.tensor([[-50.0, -80.0, 0, 1, 1, 1, 0]]), ORIGIN, CELL)
    torch.testing.assert_close(outside, torch.tensor([ORIGIN]))
    assert pool_bev(linear_map(), torch.zeros(0, 7), ORIGIN, CELL).shape == (0, 2)


def test_targets_of_an_exact_an_offset_and_a_missed_region():
    gt = np.array([[10, 5, -1, 4, 2, 1.5, 0.5], [30, 0, -1, 1, 1, 2, 0]], np.float32)
    shifted = gt[0].copy()
    shifted[0] += np.float32(0.4 * np.cos(0.5))  # 0.4 m along the box: IoU 3.6 / 4.4
    shifted[1] += np.float32(0.4 * np.sin(0.5))
    shifted[6] += np.pi
    far = gt[0].copy()
    far[:2] += np.float32(1.2) * np.array([np.cos(0.5), np.sin(0.5)], np.float32)  # IoU 2.8 / 5.2
    rois = np.stack([gt[0], shifted, far, gt[1], gt[1] + 20])
    targets = proxy_targets(rois, np.array([0, 0, 0, 2, 1]), gt, np.array([0, 1]), 3)
    assert targets.shape == (5, 10)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets[0], [1] + [0] * 9, atol=1e-5)
    np.testing.assert_allclose(targets[1, :3], [1, 0, 0], atol=1e-5)
    np.testing.assert_allclose(targets[1, 3:], [0.4 / np.hypot(4, 2), 0, 0, 0, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(targets[2], [(2.8 / 5.2 - 0.25) / 0.5] + [0] * 9, atol=1e-5)
    assert not targets[3:].any()  # another class, and no overlap


def test_targets_without_boxes_or_regions():
    boxes = np.array([[10, 5, -1, 4, 2, 1.5, 0.5]], np.float32)
    none, no_labels = np.zeros((0, 7), np.float32), np.zeros(0, np.int64)
    assert proxy_targets(none, no_labels, boxes, np.array([0]), 3).shape == (0, 10)
    assert not proxy_targets(boxes, np.array([0]), none, no_labels, 3).any()


def test_canonical_residuals_do_not_change_when_the_scene_is_turned():
    rng = np.random.default_rng(0)
    rois = np.column_stack([rng.normal(0, 10, (20, 3)), rng.uniform(1, 4, (20, 3)), rng.uniform(-3, 3, 20)])
    boxes = np.column_stack(
        [rois[:, :3] + rng.normal(0, 1, (20, 3)), rng.uniform(1, 4, (20, 3)), rng.uniform(-3, 3, 20)]
    )
    angle = 1.1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = []
    for array in (boxes, rois):
        array = array.copy()
        array[:, :2] = array[:, :2] @ turn.T
        array[:, 6] += angle
        turned.append(torch.from_numpy(array))
    expected = canonical_residuals(torch.from_numpy(boxes), torch.from_numpy(rois)).numpy()
    np.testing.assert_allclose(canonical_residuals(*turned).numpy(), expected, atol=1e-9)
    assert (np.abs(expected[:, 6]) <= np.pi / 2).all()
    reached = rois[:, 0] + np.hypot(rois[:, 3], rois[:, 4]) * (
        expected[:, 0] * np.cos(rois[:, 6]) - expected[:, 1] * np.sin(rois[:, 6])
    )
    np.testing.assert_allclose(reached, boxes[:, 0])


@pytest.mark.parametrize(("limit", "expected"), [(10, [3, 1, 4, 0]), (2, [3, 1])])
def test_best_sorts_drops_and_keeps_index_order_on_ties(limit, expected):
    scores = torch.tensor([0.1, 0.5, 0.05, 0.9, 0.5])
    assert best(scores, limit, 0.1).tolist() == expected
