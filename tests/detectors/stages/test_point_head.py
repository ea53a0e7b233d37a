import math

import pytest
import torch

from kecor.detectors.stages.point_head import PointHead
from tests.detectors.plain_pv_rcnn import PlainPointHead, assert_near, randomise

BOXES = torch.tensor([[10.0, 5, 0, 4, 2, 1.5, math.pi / 2], [20, -5, 0, 3, 1, 2, 0.0], [20, -5, 0, 3.1, 1, 2, 0.0]])
"""The first looks to the left: it reaches 1 m along x and 2 m along y. The last holds a margin of the second."""
KEYPOINTS = {
    (10.0, 5.0, 0.0): 1,
    (10.9, 6.9, 0.7): 1,  # inside, close to a corner
    (11.05, 5.0, 0.0): None,  # 0.05 m out along x: a box grows by 0.2 m, by half of it at each face
    (10.0, 7.05, 0.0): None,
    (10.0, 5.0, -0.8): None,
    (11.05, 7.08, 0.8): None,
    (11.15, 5.0, 0.0): 0,
    (10.0, 7.15, 0.0): 0,
    (10.0, 5.0, 0.9): 0,
    (12.0, 5.0, 0.0): 0,  # inside, were the box not turned
    (21.52, -5.0, 0.0): 1,  # in the margin of one box, but inside another
    (21.62, -5.0, 0.0): None,
    (0.0, 0.0, 0.0): 0,
}


def head(channels: int = 12) -> PointHead:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = PointHead(channels, [8, 6])
    randomise(module)
    return module


def focal(logit: float, label: int | None) -> float:
    if label is None:
        return 0.0
    p = 1 / (1 + math.exp(-logit))
    return -0.25 * (1 - p) ** 2 * math.log(p) if label else -0.75 * p**2 * math.log(1 - p)


def frames(logits: torch.Tensor) -> dict:
    """The keypoints in one frame with the boxes, again in one without, and a frame without keypoints."""
    places = torch.tensor(list(KEYPOINTS))
    return {
        "keypoints": [places, places[:4], places[:0]],
        "gt_boxes": [BOXES, BOXES[:0], BOXES],
        "keypoint_logits": logits,
    }


def test_loss_is_the_focal_loss_of_labels_by_hand():
    labels = [*KEYPOINTS.values(), 0, 0, 0, 0]
    logits = torch.linspace(-3, 4, len(labels), requires_grad=True)
    ((name, loss),) = head().loss(frames(logits)).items()
    total = sum(focal(x, label) for x, label in zip(logits.tolist(), labels))
    assert name == "loss_point"
    assert loss.item() == pytest.approx(total / labels.count(1), rel=1e-5)
    loss.backward()
    assert [bool(g) for g in logits.grad] == [label is not None for label in labels]
    signs = [1 if g > 0 else -1 for g in logits.grad if g]
    assert signs == [1 - 2 * label for label in labels if label is not None]


def test_without_a_positive_the_sum_is_the_loss():
    logits = torch.linspace(-2, 2, 4, requires_grad=True)
    data = {"keypoints": [torch.tensor(list(KEYPOINTS))[:4]], "gt_boxes": [BOXES[:0]], "keypoint_logits": logits}
    assert head().loss(data)["loss_point"].item() == pytest.approx(sum(focal(x, 0) for x in logits.tolist()), rel=1e-5)


def test_without_keypoints_the_loss_is_zero_and_attached():
    module = head().train()
    data = module({"unfused_features": torch.zeros(0, 12), "keypoint_features": torch.zeros(0, 5)})
    logits = data["keypoint_logits"].requires_grad_()
    loss = module.loss({"keypoints": [torch.zeros(0, 3)], "gt_boxes": [BOXES], "keypoint_logits": logits})["loss_point"]
    assert loss.item() == 0
    loss.backward()
    assert data["keypoint_features"].shape == (0, 5)


@pytest.mark.parametrize("training", [True, False])
def test_features_are_weighed_by_the_scores_of_the_published_layers(training):
    module = head().train(training)
    plain = PlainPointHead(module)
    generator = torch.Generator().manual_seed(0)
    unfused, fused = torch.randn(30, 12, generator=generator), torch.randn(30, 5, generator=generator)
    got = module({"unfused_features": unfused, "keypoint_features": fused})
    logits = plain(unfused.double())
    assert_near(got["keypoint_logits"], logits, 1e-5)
    assert_near(got["keypoint_features"], fused.double() * logits.sigmoid()[:, None], 1e-5)
    got["keypoint_features"].sum().backward()
    (fused.double() * logits.sigmoid()[:, None]).sum().backward()
    for a, b in zip(module.parameters(), plain.parameters()):
        assert_near(a.grad, b.grad, 1e-4)
    for name, value in plain.state_dict().items():
        assert_near(module.state_dict()[name], value, 1e-5)
