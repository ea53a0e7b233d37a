"""Velocities of the anchor head: coded, learnt where known, and absent where they are not asked for."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kecor.datasets.augmentation import Flip, Rotate, Scale
from kecor.datasets.gt_database import GTDatabase
from kecor.datasets.gt_sampling import GtSampling
from kecor.datasets.samples import Samples, collate
from kecor.detectors import build_detector
from kecor.detectors.targets import box_coder
from kecor.detectors.targets.anchor_losses import VELOCITY_WEIGHT, residual_difference
from kecor.errors import ConfigError
from kecor.structures import Frame

CLASSES = ["car", "pedestrian"]
ANCHORS = [
    {"name": "car", "size": [4.6, 2.0, 1.7], "bottom": -1.0, "matched": 0.6, "unmatched": 0.45},
    {"name": "pedestrian", "size": [0.7, 0.7, 1.8], "bottom": -1.0, "matched": 0.6, "unmatched": 0.4},
]
SECTION = {
    "type": "second",
    "backbone_3d": {"in_channels": 5, "channels": [4, 4, 8, 8, 8], "out_channels": 8},
    "backbone_2d": {"layers": [1], "strides": [1], "filters": [16], "up_strides": [1], "up_filters": [16]},
}


def settings():
    voxels = SimpleNamespace(size=[0.2, 0.2, 0.2], max_points=5, max_train=20000, max_test=20000)
    return SimpleNamespace(
        classes=CLASSES,
        point_cloud_range=[-12.8, -12.8, -5, 12.8, 12.8, 3],
        voxels=voxels,
        augmentation=[],
        workers=0,
    )


def frame():
    rng = np.random.default_rng(0)
    points = rng.uniform([-12, -12, -2, 0, 0], [12, 12, 1, 1, 0.5], (3000, 5)).astype(np.float32)
    boxes = np.array([[3, 2, -0.2, 4.6, 2, 1.7, 0.1], [-4.27, 0.85, -0.1, 0.7, 0.7, 1.8, 1]], np.float32)
    velocity = np.array([[4.0, -1.0], [np.nan, np.nan]], np.float32)
    return Frame("f", points, boxes, np.array(CLASSES), meta={"velocity": velocity})


def build(velocity):
    return build_detector({**SECTION, "dense_head": {"anchors": ANCHORS, "velocity": velocity}}, settings(), seed=3)


def batch():
    return collate([Samples(lambda _: frame(), ["f"], settings(), training=False)[0]])


def test_velocities_are_coded_as_they_are():
    anchors = torch.tensor([[1.0, 2, 0, 4, 2, 1.5, 0.3]])
    boxes = torch.tensor([[1.5, 2, 0, 4, 2, 1.5, 0.3, 7.0, -2.0]])
    residuals = box_coder.encode(boxes, anchors)
    assert residuals[0, 7:].tolist() == [7, -2]
    torch.testing.assert_close(box_coder.decode(residuals, anchors), boxes[:, :7])


def test_unknown_velocities_have_no_loss_and_no_gradient():
    predicted = torch.ones(2, 9, requires_grad=True)
    target = torch.zeros(2, 9)
    target[0, 7:] = torch.nan
    difference = residual_difference(predicted, target)
    assert difference[:, 7:].tolist() == [[0, 0], [1, 1]]
    difference.sum().backward()
    assert predicted.grad[:, 7:].tolist() == [[0, 0], [1, 1]]


def test_the_loss_sees_known_velocities_only():
    """The gradient is the one the weights say, and zero for the object whose velocity is not known."""
    detector = build(True).train()
    data = detector.run_stages(batch())
    data["box_preds"] = data["box_preds"].detach().clone()
    data["box_preds"][..., 7:] = 0
    data["box_preds"].requires_grad_(True)
    losses = detector.dense_head.loss(data)
    losses["loss_loc"].backward()
    gradient = data["box_preds"].grad
    assert all(loss.isfinite() for loss in losses.values())
    assert gradient.isfinite().all()
    labels, residuals = detector.dense_head.targets(detector.dense_head._gt_boxes(data), data["gt_labels"])
    cars, people = labels == 0, labels == 1
    assert cars.any()
    assert people.any()
    assert (gradient[cars][:, 7:] != 0).all()
    assert (gradient[people][:, 7:] == 0).all()
    assert residuals[cars][:, 7:].unique(dim=0).tolist() == [[4, -1]]
    n = (labels >= 0).sum()
    expected = 2.0 * VELOCITY_WEIGHT / n  # slope 1 beyond beta
    torch.testing.assert_close(gradient[cars][:, 7].abs(), expected.expand(int(cars.sum())).float())


def test_nothing_changes_where_velocities_are_not_asked_for():
    without, default = build(False), build_detector({**SECTION, "dense_head": {"anchors": ANCHORS}}, settings(), seed=3)
    shapes = {name: value.shape for name, value in default.state_dict().items()}
    assert {name: value.shape for name, value in without.state_dict().items()} == shapes
    assert shapes["dense_head.conv_box.weight"][0] == 4 * 7
    assert build(True).state_dict()["dense_head.conv_box.weight"].shape[0] == 4 * 9
    data = batch()
    with_key = without.train()("loss", **data)
    del data["gt_velocities"]
    again = build(False).train()("loss", **data)
    assert {k: v.item() for k, v in with_key.items()} == {k: v.item() for k, v in again.items()}


def test_detections_carry_velocities():
    for velocity in (True, False):
        detector = build(velocity).eval()
        detector.post_processing = type(detector.post_processing)(score_threshold=0.0, post_nms=5)
        found = detector("predict", **batch())[0]
        assert len(found) == 5
        if velocity:
            assert found.velocities.shape == (5, 2)
            assert np.isfinite(found.velocities).all()
        else:
            assert found.velocities is None


def test_a_data_set_without_velocities():
    data = batch()
    del data["gt_velocities"]
    with pytest.raises(ConfigError, match="velocity: the data set has no velocities"):
        build(True).train()("loss", **data)


def test_velocities_turn_with_the_scene():
    """Moving a box by its velocity and then varying the scene is the same as varying it and then moving."""
    for transform in (Flip(1.0), Rotate(1.0), Scale(0.8, 0.9)):
        before = frame()
        moved = frame()
        moved.boxes[0, :2] += before.meta["velocity"][0]
        a = transform(before, np.random.default_rng(5))
        b = transform(moved, np.random.default_rng(5))
        np.testing.assert_allclose(a.boxes[0, :2] + a.meta["velocity"][0], b.boxes[0, :2], atol=1e-5)
        assert np.isnan(a.meta["velocity"][1]).all()
        np.testing.assert_array_equal(before.meta["velocity"][0], [4, -1])


def test_pasted_objects_have_unknown_velocities():
    sampling = GtSampling({"car": 2}, min_points=0)
    box = np.array([-6, -8, 0, 4, 2, 1.5, 0], np.float32)
    sampling.use(GTDatabase({"car": [(box, np.zeros((6, 5), np.float32))], "pedestrian": []}))
    pasted = sampling(frame(), np.random.default_rng(0))
    assert len(pasted.boxes) == 3
    np.testing.assert_array_equal(np.isnan(pasted.meta["velocity"][:, 0]), [False, True, True])
