import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmengine.optim import OptimWrapper

from kecor import ops
from kecor.detectors import build_detector
from kecor.detectors.targets import box_coder
from kecor.errors import ConfigError, KecorError
from tests.detectors.published import second_kitti
from tests.detectors.synthetic import (
    BOXES,
    LABELS,
    SMALL,
    VoxelConfig,
    make_batch,
    scene,
    tiny_batch,
    tiny_data,
)

CONFIGS = Path(__file__).parents[2] / "configs" / "_base_" / "detectors"


def section(name: str) -> dict:
    return yaml.safe_load((CONFIGS / name).read_text())["detector"]


def overfit(steps: int):
    """A detector trained on one frame, and the loss of each step."""
    detector = build_detector({**SMALL, "norm_momentum": 0.2}, tiny_data(), seed=0).train()
    optimizer = OptimWrapper(torch.optim.Adam(detector.parameters(), lr=0.01), clip_grad={"max_norm": 10})
    batch = tiny_batch()
    losses = [detector.train_step(batch, optimizer)["loss"].item() for _ in range(steps)]
    return detector, losses


@pytest.fixture(scope="module")
def trained():
    detector, losses = overfit(50)
    return detector.eval(), losses


def test_full_config_has_the_published_names_and_shapes():
    data = tiny_data(point_cloud_range=[0, -40, -3, 70.4, 40, 1], voxels=VoxelConfig([0.05, 0.05, 0.1]))
    state = build_detector(section("second.yaml"), data).state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == second_kitti()
    default = build_detector({"type": "second"}, data).state_dict()
    assert all(torch.equal(value, default[name]) for name, value in state.items())


@pytest.mark.parametrize(
    ("low", "high", "size"),
    [
        ([0, -39.68, -3], [69.12, 39.68, 1], [0.16, 0.16, 0.1]),
        ([0, -40, -3], [70.4, 40, 1], [0.1, 0.1, 0.1]),
    ],
)
def test_small_config_builds_on_its_grids(low, high, size):
    detector = build_detector(
        section("second_small.yaml"), tiny_data(point_cloud_range=low + high, voxels=VoxelConfig(size))
    )
    assert detector.roi_feature_channels == 256


def test_anchor_rows_and_channels_line_up():
    """Row (y, x, class, rotation) of the flattened predictions reads channel (class, rotation) of cell (y, x)."""
    detector = build_detector(SMALL, tiny_data()).eval()
    head = detector.dense_head
    with torch.no_grad():
        head.conv_cls.weight.zero_()
        head.conv_cls.bias.copy_(torch.arange(18.0))
        head.conv_box.weight.zero_()
        head.conv_box.bias.zero_()
        head.conv_dir_cls.weight.zero_()
        data = detector(**tiny_batch())
        boxes = head.decode(data, 0)
    assert torch.equal(data["cls_preds"][0].reshape(16, 16, 18)[5, 7], torch.arange(18.0))
    row = (5 * 16 + 7) * 6 + 3  # the second rotation of the second class
    assert data["cls_preds"][0, row].tolist() == [9.0, 10.0, 11.0]
    expected = [7 * 25.6 / 15, -12.8 + 5 * 25.6 / 15, -0.6 + 1.73 / 2, 0.8, 0.6, 1.73]
    np.testing.assert_allclose(boxes[row, :6].numpy(), expected, atol=1e-5)


def test_targets_stand_in_the_rows_of_their_class():
    head = build_detector(SMALL, tiny_data()).dense_head
    batch = tiny_batch(2)
    batch["gt_boxes"][1], batch["gt_labels"][1] = batch["gt_boxes"][1][:0], batch["gt_labels"][1][:0]
    labels, residuals = head.targets(batch["gt_boxes"], batch["gt_labels"])
    assert labels.shape == (2, 16 * 16 * 6)
    assert (labels[1] < 0).all()
    positive = (labels[0] >= 0).nonzero().squeeze(1)
    assert torch.equal(labels[0, positive], positive % 6 // 2)
    decoded = box_coder.decode(residuals[0, positive], head.anchors.view(-1, 7)[positive])
    distance = torch.cdist(decoded, torch.from_numpy(BOXES))
    assert distance.min(dim=1).values.max() < 1e-4
    assert torch.equal(torch.from_numpy(LABELS)[distance.argmin(dim=1)], labels[0, positive])
    assert set(distance.argmin(dim=1).tolist()) == {0, 1, 2}


def test_seed_sets_the_weights_and_leaves_the_global_generator():
    before = torch.random.get_rng_state()
    a, b, c = (build_detector(SMALL, tiny_data(), seed=s).state_dict() for s in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["dense_head.conv_cls.weight"], c["dense_head.conv_cls.weight"])


def test_one_frame_is_learnt_and_found_again(trained):
    detector, losses = trained
    assert losses[-1] < 0.2 * losses[0]
    (found,) = detector.test_step(tiny_batch())
    iou = ops.iou_3d(BOXES, found.boxes)
    match = iou.argmax(axis=1)
    assert (iou.max(axis=1) > 0.5).all(), iou
    assert found.labels[match].tolist() == LABELS.tolist()
    turn = (found.boxes[match, 6] - BOXES[:, 6] + np.pi) % (2 * np.pi) - np.pi
    assert (np.abs(turn) < 0.5).all(), "a heading points the wrong way"
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores >= 0.1).all()
    assert (np.abs(found.boxes[:, 6]) <= np.pi + 1e-6).all()
    best = 1 / (1 + np.exp(-found.logits.astype(np.float64)))
    np.testing.assert_allclose(best.max(axis=1), found.scores, rtol=1e-5)
    assert (best.argmax(axis=1) == found.labels).all()
    assert (found.n_points[match] > 60).all()


@pytest.mark.parametrize("mixed", [False, True])
def test_describe_gives_regions_features_and_moves_nothing(trained, mixed):
    detector, _ = trained
    before = copy.deepcopy(detector.state_dict())
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        outputs = detector.describe(tiny_batch(2), n_rois=20)
        again = detector.test_step(tiny_batch(2))
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())
    assert len(outputs) == 2
    for out in outputs:
        assert len(out.roi_boxes) == 20
        assert out.roi_features.shape == (20, detector.roi_feature_channels)
        assert out.embedding.shape == (detector.roi_feature_channels,)
        assert {out.roi_boxes.dtype, out.roi_features.dtype, out.embedding.dtype} == {np.dtype(np.float32)}
        assert (np.diff(out.roi_scores) <= 0).all()
        iou = ops.iou_bev(out.roi_boxes, out.roi_boxes)
        assert (iou - np.eye(20)).max() <= 0.7 + 1e-5
        assert (ops.iou_3d(BOXES, out.roi_boxes).max(axis=1) > 0.5).all()
    assert all(np.array_equal(a.boxes, o.detections.boxes) for a, o in zip(again, outputs))


def test_a_frame_reads_the_same_alone_and_in_a_batch(trained):
    detector, _ = trained
    frames = [(scene(BOXES[:k], np.random.default_rng(k)), BOXES[:k], LABELS[:k]) for k in (1, 3)]
    together = detector.describe(make_batch(frames, tiny_data()), 16)
    alone = detector.describe(make_batch(frames[1:], tiny_data()), 16)[0]
    np.testing.assert_allclose(together[1].roi_features, alone.roi_features, atol=1e-4)
    np.testing.assert_allclose(together[1].detections.boxes, alone.detections.boxes, atol=1e-4)


def test_describe_refuses_training_mode(trained):
    detector, _ = trained
    detector.train()
    with pytest.raises(RuntimeError, match="eval mode"):
        detector.describe(tiny_batch(), 4)
    detector.eval()


def test_training_twice_gives_the_same_bits():
    (a, losses_a), (b, losses_b) = overfit(5), overfit(5)
    assert losses_a == losses_b
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))
    assert int(a.global_step) == 5


def test_every_parameter_gets_a_gradient_with_and_without_autocast():
    detector = build_detector(SMALL, tiny_data()).train()
    batch = tiny_batch(2)
    plain = detector(mode="loss", **batch)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = detector(mode="loss", **batch)
    assert {v.dtype for v in mixed.values()} == {torch.float32}
    for name, value in plain.items():
        torch.testing.assert_close(mixed[name], value, rtol=0.05, atol=0.05)
    sum(mixed.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in detector.parameters())


def test_frames_without_boxes_or_points(trained):
    detector, _ = trained
    none = (np.zeros((0, 4), np.float32), np.zeros((0, 7)), np.zeros(0))
    losses = detector(mode="loss", **make_batch([none], tiny_data()))
    assert all(v.isfinite() for v in losses.values())
    assert losses["loss_loc"] == losses["loss_dir"] == 0
    outputs = detector.describe(make_batch([none, none], tiny_data()), 8)
    assert all(len(out.roi_features) == len(out.roi_boxes) for out in outputs)
    mixed = make_batch([none, (scene(BOXES, np.random.default_rng(0)), BOXES, LABELS)], tiny_data())
    assert len(detector.test_step(mixed)[1]) >= 3


def test_a_diverged_detector_says_so():
    detector = build_detector(SMALL, tiny_data()).eval()
    torch.nn.init.constant_(detector.dense_head.conv_box.bias, float("nan"))
    with pytest.raises(KecorError, match=r"frame 000000.*diverged"):
        detector.test_step(tiny_batch())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone_4d": {}}, "backbone_4d"),
        ({"backbone_3d": {"chanels": [1]}}, r"detector.backbone_3d.chanels.*'channels'"),
        ({"backbone_3d": {"grid": 1}}, r"detector.backbone_3d.grid"),
        ({"backbone_3d": {"channels": [1, 2]}}, "expected 5 numbers"),
        ({"backbone_2d": {"type": "resnet"}}, r"backbone_2d.type: got 'resnet'; expected one of: anchor_head"),
        ({"backbone_2d": {"layers": [1]}}, "one number per level"),
        ({"backbone_2d": {"up_strides": [1, 1]}}, "different resolutions"),
        ({"backbone_2d": {"strides": [3, 1], "up_strides": [1, 1]}}, "is not divisible by"),
        ({"dense_head": {"anchors": [{"name": "Car"}]}}, r"anchors\[0\].size is missing"),
        ({"post_processing": {"score_treshold": 1}}, "did you mean 'score_threshold'"),
        ({"type": "third"}, "got 'third'; expected one of"),
    ],
)
def test_wrong_arguments_are_config_errors(changes, message):
    with pytest.raises(ConfigError, match=message):
        build_detector({**SMALL, **changes}, tiny_data())


def test_classes_choose_their_anchors():
    car = build_detector(SMALL, tiny_data(classes=["Car"]))
    assert car.dense_head.conv_cls.weight.shape[0] == 2
    turned = build_detector(SMALL, tiny_data(classes=["Cyclist", "Car"]))
    assert turned.dense_head.spec_labels == [1, 0]
    with pytest.raises(ConfigError, match="'Truck'"):
        build_detector(SMALL, tiny_data(classes=["Car", "Truck"]))


def test_norm_momentum_reaches_every_layer_and_is_checked():
    detector = build_detector({**SMALL, "norm_momentum": 0.2}, tiny_data())
    layers = [m for m in detector.modules() if isinstance(m, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d))]
    assert len(layers) > 10
    assert {layer.momentum for layer in layers} == {0.2}
    with pytest.raises(ConfigError, match="norm_momentum"):
        build_detector({**SMALL, "norm_momentum": 0.0}, tiny_data())
