import math

import numpy as np
import pytest
import torch

from kecor.detectors.targets.roi_frame import canonical_residuals
from kecor.detectors.targets.roi_losses import box_loss, corner_loss, roi_losses, score_loss
from kecor.detectors.targets.roi_sampling import RoiSampling
from tests.detectors.targets.test_roi_frame import pairs

N = 12
FOREGROUND = torch.tensor([True, False, True, True] * 3)


def problem(noise: float = 0.3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(N, 7) float64 predicted residuals, regions and ground truth; some losses lie on either side of the kinks."""
    gt_boxes, rois = pairs(N, seed=1)
    generator = torch.Generator().manual_seed(0)
    residuals = canonical_residuals(gt_boxes, rois)
    residuals = residuals + noise * torch.randn(N, 7, generator=generator, dtype=torch.float64)
    return residuals, rois, gt_boxes


def turned(x: float, y: float, angle: float) -> tuple[float, float]:
    return x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)


def eight(box: list[float]) -> list[tuple[float, float, float]]:
    """Corners of one box, front-left first."""
    x, y, z, dx, dy, dz, heading = box
    points = []
    for up in (-0.5, 0.5):
        for along, across in ((0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)):
            u, v = turned(along * dx, across * dy, heading)
            points.append((x + u, y + v, z + up * dz))
    return points


def expected_box_loss(residuals, rois, gt_boxes, foreground) -> float:
    total, count = 0.0, 0
    for residual, roi, box, is_foreground in zip(residuals.tolist(), rois.tolist(), gt_boxes.tolist(), foreground):
        if not is_foreground:
            continue
        count += 1
        u, v = turned(box[0] - roi[0], box[1] - roi[1], -roi[6])
        diagonal = math.sqrt(roi[3] ** 2 + roi[4] ** 2)
        heading = box[6] - roi[6]
        while heading > math.pi / 2:
            heading -= math.pi
        while heading < -math.pi / 2:
            heading += math.pi
        target = [u / diagonal, v / diagonal, (box[2] - roi[2]) / roi[5]]
        target += [math.log(box[k] / roi[k]) for k in (3, 4, 5)] + [heading]
        for got, wanted in zip(residual, target):
            size = abs(got - wanted)
            total += 4.5 * size**2 if size < 1 / 9 else size - 1 / 18
    return total / max(count, 1)


def expected_corner_loss(residuals, rois, gt_boxes, foreground) -> float:
    losses = []
    for residual, roi, box, is_foreground in zip(residuals.tolist(), rois.tolist(), gt_boxes.tolist(), foreground):
        if not is_foreground:
            continue
        diagonal = math.sqrt(roi[3] ** 2 + roi[4] ** 2)
        u, v = turned(residual[0] * diagonal, residual[1] * diagonal, roi[6])
        centre = [roi[0] + u, roi[1] + v, roi[2] + residual[2] * roi[5]]
        size = [roi[k] * math.exp(residual[k]) for k in (3, 4, 5)]
        predicted = eight([*centre, *size, residual[6] + roi[6]])
        distances = zip(predicted, eight(box), eight([*box[:6], box[6] + math.pi]))
        nearest = [min(math.dist(p, a), math.dist(p, b)) for p, a, b in distances]
        losses.append(sum(0.5 * d * d if d < 1 else d - 0.5 for d in nearest) / 8)
    return sum(losses) / max(len(losses), 1)


def test_score_loss_is_its_formula():
    logits = torch.linspace(-9, 9, 37, dtype=torch.float64, requires_grad=True)
    targets = torch.linspace(0, 1, 37, dtype=torch.float64)
    expected = 0.0
    for x, t in zip(logits.tolist(), targets.tolist()):
        p = 1 / (1 + math.exp(-x))
        expected -= (t * math.log(p) + (1 - t) * math.log(1 - p)) / 37
    loss = score_loss(logits, targets)
    assert loss.item() == pytest.approx(expected, rel=1e-10)
    loss.backward()
    torch.testing.assert_close(logits.grad, (logits.detach().sigmoid() - targets) / 37)


@pytest.mark.parametrize("noise", [0.02, 0.3, 1.0])
def test_box_and_corner_loss_are_their_formulas(noise):
    arguments = (*problem(noise), FOREGROUND)
    assert box_loss(*arguments).item() == pytest.approx(expected_box_loss(*arguments), rel=1e-10)
    assert corner_loss(*arguments).item() == pytest.approx(expected_corner_loss(*arguments), rel=1e-10)


def test_each_corner_chooses_its_own_direction():
    """Shifted ahead and turned by about a quarter, some corners are nearer to the one box, some to the other."""
    roi = torch.tensor([[0.0, 0, 0, 4, 2, 1.5, 0]], dtype=torch.float64)
    predicted = torch.tensor([[0.1, 0.05, 0, 0, 0, 0, 1.5]], dtype=torch.float64)
    one = torch.tensor([True])
    per_corner = corner_loss(predicted, roi, roi, one).item()
    assert per_corner == pytest.approx(expected_corner_loss(predicted, roi, roi, one), rel=1e-10)
    decoded = [*(0.1 * math.sqrt(20), 0.05 * math.sqrt(20), 0), 4, 2, 1.5, 1.5]
    per_box = []
    for heading in (0.0, math.pi):
        distances = map(math.dist, eight(decoded), eight([0, 0, 0, 4, 2, 1.5, heading]))
        per_box.append(np.mean([0.5 * d * d if d < 1 else d - 0.5 for d in distances]))
    assert per_corner < min(per_box) - 0.01


def test_gradients_are_right_and_reach_the_foreground_of_the_predictions_alone():
    residuals, rois, gt_boxes = (tensor.requires_grad_() for tensor in problem())
    for loss in (box_loss, corner_loss):
        fixed = (rois.detach(), gt_boxes.detach(), FOREGROUND)
        assert torch.autograd.gradcheck(lambda r, f=loss, a=fixed: f(r, *a), residuals)
        residuals.grad = None
        loss(residuals, rois, gt_boxes, FOREGROUND).backward()
        assert (residuals.grad[FOREGROUND] != 0).any(dim=1).all()
        assert not residuals.grad[~FOREGROUND].any()
    assert rois.grad is None
    assert gt_boxes.grad is None


def test_perfect_predictions_cost_nothing_and_have_a_finite_gradient():
    gt_boxes, rois = pairs(N)
    for regions in (rois, gt_boxes, gt_boxes + torch.tensor([0, 0, 0, 0, 0, 0, math.pi])):
        residuals = canonical_residuals(gt_boxes, regions).requires_grad_()
        everything = torch.ones(N, dtype=torch.bool)
        for loss in (box_loss, corner_loss):
            value = loss(residuals, regions, gt_boxes, everything)
            assert value.item() < 1e-12
            (gradient,) = torch.autograd.grad(value, residuals)
            assert gradient.abs().max() < 1e-6
    exact = torch.zeros(N, 7, dtype=torch.float64, requires_grad=True)  # distances of exactly zero
    value = corner_loss(exact, rois, rois, everything)
    assert value.item() == 0
    assert not torch.autograd.grad(value, exact)[0].any()


def test_boxes_of_zeros_in_the_background_do_no_harm():
    residuals, rois, gt_boxes = problem()
    zeroed = torch.where(FOREGROUND[:, None], gt_boxes, 0.0)
    residuals.requires_grad_()
    for loss in (box_loss, corner_loss):
        value = loss(residuals, rois, zeroed, FOREGROUND)
        assert value.item() == pytest.approx(loss(residuals, rois, gt_boxes, FOREGROUND).item())
        assert torch.autograd.grad(value, residuals)[0].isfinite().all()


@pytest.mark.parametrize("n", [0, 3])
def test_without_foreground_the_losses_are_zero_and_attached(n):
    residuals, scores = torch.randn(n, 7, requires_grad=True), torch.zeros(n, requires_grad=True)
    losses = roi_losses(scores, residuals, torch.ones(n, 7), torch.zeros(n, 7), torch.zeros(n), RoiSampling())
    assert losses["loss_rcnn_reg"].item() == losses["loss_rcnn_corner"].item() == 0
    assert losses["loss_rcnn_cls"].item() == pytest.approx(math.log(2) if n else 0)
    sum(losses.values()).backward()
    assert not residuals.grad.any()
    assert scores.grad.isfinite().all()


def test_the_three_losses_are_put_together():
    residuals, rois, gt_boxes = problem()
    iou = torch.tensor([0.9, 0.1, 0.5, 0.55, 0.56, 0.0, 0.3, 0.7, 1.0, 0.54, 0.2, 0.6], dtype=torch.float64)
    scores = torch.linspace(-2, 2, N, dtype=torch.float64)
    losses = roi_losses(scores, residuals, rois, gt_boxes, iou, RoiSampling())
    above = [i in (0, 4, 7, 8, 11) for i in range(N)]  # 0.55 itself is not above
    assert losses.keys() == {"loss_rcnn_cls", "loss_rcnn_reg", "loss_rcnn_corner"}
    assert losses["loss_rcnn_reg"].item() == pytest.approx(expected_box_loss(residuals, rois, gt_boxes, above))
    assert losses["loss_rcnn_corner"].item() == pytest.approx(expected_corner_loss(residuals, rois, gt_boxes, above))
    targets = [min(1, max(0, 2 * v - 0.5)) for v in iou.tolist()]
    expected = [math.log1p(math.exp(-s)) + (1 - t) * s for s, t in zip(scores.tolist(), targets)]
    assert losses["loss_rcnn_cls"].item() == pytest.approx(sum(expected) / N)


def test_half_precision_is_computed_with_in_single():
    residuals, rois, gt_boxes = (tensor.float() for tensor in problem())
    residuals, scores = residuals.bfloat16(), torch.linspace(-2, 2, N).bfloat16()
    iou = torch.linspace(0, 1, N)
    with torch.autocast("cpu", torch.bfloat16):
        half = roi_losses(scores, residuals, rois, gt_boxes, iou, RoiSampling())
    single = roi_losses(scores.float(), residuals.float(), rois, gt_boxes, iou, RoiSampling())
    for name, loss in half.items():
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, single[name], atol=0, rtol=0)
