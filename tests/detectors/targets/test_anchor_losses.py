import numpy as np
import torch

from kecor.detectors.targets.anchor_losses import anchor_losses, residual_difference, sigmoid_focal, smooth_l1
from kecor.detectors.targets.target_assigner import BACKGROUND, IGNORED


def test_focal_loss_is_its_formula_and_its_gradient_is_right():
    logits = torch.linspace(-12, 12, 97, dtype=torch.float64, requires_grad=True)
    for target in (0.0, 1.0):
        p = 1 / (1 + np.exp(-logits.detach().numpy()))
        pt = p if target else 1 - p
        expected = -(0.25 if target else 0.75) * (1 - pt) ** 2 * np.log(pt)
        got = sigmoid_focal(logits, torch.full_like(logits, target))
        np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-7, atol=1e-12)
        assert torch.autograd.gradcheck(lambda x, t=target: sigmoid_focal(x, torch.full_like(x, t)), logits)


def test_smooth_l1_is_its_formula_and_its_gradient_is_right():
    x = torch.linspace(-1, 1, 82, dtype=torch.float64, requires_grad=True)
    values = x.detach().numpy()
    expected = np.where(np.abs(values) < 1 / 9, 4.5 * values**2, np.abs(values) - 1 / 18)
    np.testing.assert_allclose(smooth_l1(x).detach().numpy(), expected, atol=1e-12)
    assert torch.autograd.gradcheck(smooth_l1, x)


def test_heading_difference_is_the_sine_and_blind_to_half_a_turn():
    predicted, target = torch.randn(50, 7, dtype=torch.float64), torch.randn(50, 7, dtype=torch.float64)
    difference = residual_difference(predicted, target)
    torch.testing.assert_close(difference[:, 6], (predicted[:, 6] - target[:, 6]).sin())
    predicted[:, 6] = target[:, 6] + np.pi
    assert residual_difference(predicted, target)[:, 6].abs().max() < 1e-12


def test_anchor_losses_weigh_and_normalise_frame_by_frame():
    generator = torch.Generator().manual_seed(0)
    n, a, c = 2, 40, 3
    cls, box, direction, residuals = (
        torch.randn(n, a, k, generator=generator, dtype=torch.float64) for k in (c, 7, 2, 7)
    )
    anchors = torch.randn(a, 7, generator=generator, dtype=torch.float64)
    labels = torch.full((n, a), BACKGROUND)
    labels[0, :5] = torch.tensor([0, 1, 2, 2, 0])
    labels[:, 30:] = IGNORED  # the second frame has no positive at all
    expected = {"loss_cls": 0.0, "loss_loc": 0.0, "loss_dir": 0.0}
    for frame in range(n):
        positives = max(int((labels[frame] >= 0).sum()), 1)
        for i in range(a):
            label = int(labels[frame, i])
            if label == IGNORED:
                continue
            for k in range(c):
                p = 1 / (1 + np.exp(-float(cls[frame, i, k])))
                pt, alpha = (p, 0.25) if k == label else (1 - p, 0.75)
                expected["loss_cls"] += -alpha * (1 - pt) ** 2 * np.log(pt) / positives / n
            if label < 0:
                continue
            d = (box[frame, i] - residuals[frame, i]).numpy()
            d[6] = np.sin(d[6])
            size = np.abs(d)
            expected["loss_loc"] += 2 * np.where(size < 1 / 9, 4.5 * size**2, size - 1 / 18).sum() / positives / n
            turned = (float(residuals[frame, i, 6] + anchors[i, 6]) - 0.78539) % (2 * np.pi)
            logits = direction[frame, i].numpy()
            cross = np.log(np.exp(logits).sum()) - logits[int(turned // np.pi)]
            expected["loss_dir"] += 0.2 * cross / positives / n
    got = anchor_losses(cls, box, direction, anchors, labels, residuals)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(float(got[name]), value, rtol=1e-6)
