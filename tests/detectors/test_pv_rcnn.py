import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from kecor import ops
from kecor.config import load_config
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.datasets.samples import Samples, collate
from kecor.detectors import build_detector, load_pretrained
from kecor.errors import ConfigError, KecorError
from tests.detectors.plain_pv_rcnn import assert_near, randomise, second_stage
from tests.detectors.published import checkpoint, pv_rcnn_kitti, pv_rcnn_waymo
from tests.detectors.synthetic import (
    BOXES,
    LABELS,
    NONE,
    PV_RCNN,
    VoxelConfig,
    make_batch,
    overfit,
    scene,
    tiny_batch,
    tiny_data,
)
from tests.shared import shared_data

CONFIGS = Path(__file__).parents[2] / "configs"
KITTI = tiny_data(point_cloud_range=[0, -40, -3, 70.4, 40, 1], voxels=VoxelConfig([0.05, 0.05, 0.1]))
WAYMO = tiny_data(
    classes=["Vehicle", "Pedestrian", "Cyclist"],
    point_cloud_range=[-75.2, -75.2, -2, 75.2, 75.2, 4],
    voxels=VoxelConfig([0.1, 0.1, 0.15]),
)


def section(name: str) -> dict:
    return load_config(CONFIGS / name).detector


@pytest.fixture(scope="module")
def trained():
    detector, losses = overfit(PV_RCNN, 40, n_frames=2)
    return detector.eval(), losses


@pytest.mark.parametrize(
    ("name", "data", "published"),
    [("kitti/pv_rcnn.yaml", KITTI, pv_rcnn_kitti), ("waymo/pv_rcnn.yaml", WAYMO, pv_rcnn_waymo)],
)
def test_a_published_checkpoint_fits_the_full_config(name, data, published, tmp_path):
    detector = build_detector(section(name), data)
    assert {key: list(value.shape) for key, value in detector.state_dict().items()} == published()
    state = checkpoint(published(), tmp_path / "c.pth")
    load_pretrained(detector, tmp_path / "c.pth")
    assert all(torch.equal(value, state[key]) for key, value in detector.state_dict().items())


def test_the_defaults_are_the_config_for_kitti():
    full, default = (build_detector(s, KITTI, seed=0) for s in (section("kitti/pv_rcnn.yaml"), {"type": "pv_rcnn"}))
    states = full.state_dict(), default.state_dict()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert full.limits == default.limits
    assert full.pfe.keypoints == default.pfe.keypoints
    for a, b in zip([*full.pfe.SA_layers, full.pfe.SA_rawpoints], [*default.pfe.SA_layers, default.pfe.SA_rawpoints]):
        assert (a.radii, a.samples) == (b.radii, b.samples)
    pools = full.roi_head.roi_grid_pool_layer, default.roi_head.roi_grid_pool_layer
    assert (pools[0].radii, pools[0].samples) == (pools[1].radii, pools[1].samples)
    assert {**vars(full.sampling), "score_iou": (0.25, 0.75)} == vars(default.sampling)
    dropped = [[m.p for m in d.modules() if isinstance(m, torch.nn.Dropout)] for d in (full, default)]
    assert dropped == [[0.3] * 3] * 2


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("kitti/pv_rcnn_small.yaml", tiny_data(point_cloud_range=[0, -39.68, -3, 69.12, 39.68, 1])),
        (
            "waymo/pv_rcnn_small.yaml",
            tiny_data(classes=WAYMO.classes, point_cloud_range=[-75.2, -75.2, -2, 75.2, 75.2, 4]),
        ),
    ],
)
def test_small_configs_build(name, data):
    data.voxels = VoxelConfig([0.16, 0.16, 0.1] if "waymo" not in name else [0.2, 0.2, 0.15])
    assert build_detector(section(name), data).roi_feature_channels == 256


def test_levels_of_the_backbone_have_their_strides_and_lie_where_the_points_do():
    data = build_detector(PV_RCNN, tiny_data()).eval()(**tiny_batch())
    cloud = data["points"][:, 1:3]
    scales = data["multi_scale_3d_features"]
    assert list(scales) == ["x_conv1", "x_conv2", "x_conv3", "x_conv4"]
    for stride, channels, level in zip((1, 2, 4, 8), (8, 16, 16, 16), scales.values()):
        assert level.spatial_shape[1:] == [128 // stride] * 2
        assert level.features.shape[1] == channels
        centres = torch.tensor([0, -12.8]) + (level.indices[:, [3, 2]] + 0.5) * 0.2 * stride
        away = (centres[:, None] - cloud).abs().amax(dim=2) / (0.2 * stride)  # in cells
        assert away.min(dim=1).values.max() < 2
        assert away.min(dim=0).values.max() <= 0.5 + 1e-4


def test_training_lowers_the_loss_and_the_objects_are_found(trained):
    detector, losses = trained
    assert losses[-1] < 0.2 * losses[0]
    for found in detector.test_step(tiny_batch(2)):
        iou = ops.iou_3d(BOXES, found.boxes)
        match = iou.argmax(axis=1)
        assert (iou.max(axis=1)[:2] > 0.5).all(), iou
        assert found.labels[match][:2].tolist() == LABELS[:2].tolist()
        assert (np.diff(found.scores) <= 0).all()
        assert (found.scores[match][:2] > 0.5).all()
        assert (np.abs(found.boxes[:, 6]) <= np.pi + 1e-6).all()
        assert (found.n_points[match][:2] > 60).all()


def test_every_parameter_gets_a_gradient(trained):
    detector = copy.deepcopy(trained[0]).train()
    detector.zero_grad()
    sum(detector(mode="loss", **tiny_batch(2)).values()).backward()
    for name, parameter in detector.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_before_training_every_gradient_is_there_and_finite():
    """Without a foreground RoI the box branch has nothing to learn from."""
    detector = build_detector(PV_RCNN, tiny_data(), seed=0).train()
    losses = detector(mode="loss", **tiny_batch(2))
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in detector.parameters())
    assert all(p.grad.any() for n, p in detector.named_parameters() if "reg_layers" not in n)


def test_training_twice_gives_the_same_bits():
    (a, losses_a), (b, losses_b) = overfit(PV_RCNN, 3), overfit(PV_RCNN, 3)
    assert losses_a == losses_b
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))
    assert int(a.global_step) == 3


@pytest.mark.parametrize(
    "frames",
    [
        [NONE],
        [NONE, (scene(BOXES, np.random.default_rng(0)), BOXES, LABELS)],
        [(scene(BOXES, np.random.default_rng(0)), BOXES, LABELS), NONE],
        [(scene(BOXES[:0], np.random.default_rng(0)), BOXES[:0], LABELS[:0])],
        [(scene(BOXES[:0], np.random.default_rng(0), 3), BOXES, LABELS)],  # three points
        [NONE, NONE],
    ],
)
def test_frames_without_points_or_boxes(trained, frames):
    detector, batch = copy.deepcopy(trained[0]).train(), make_batch(frames, tiny_data())
    losses = detector(mode="loss", **batch)
    assert all(value.isfinite() for value in losses.values())
    detector.zero_grad()
    sum(losses.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in detector.parameters())
    assert all(value.isfinite().all() for value in detector.state_dict().values())
    detector.eval()
    for mixed in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            outputs = detector.describe(batch, 8)
        for out in outputs:
            assert len(out.roi_features) == len(out.roi_boxes) == 8
            assert np.isfinite(out.roi_features).all()
            assert np.isfinite(out.embedding).all()


def test_a_cloud_of_one_point(trained):
    batch = make_batch([(scene(BOXES[:0], np.random.default_rng(0), 1), BOXES, LABELS)], tiny_data())
    (out,) = trained[0].describe(batch, 8)
    assert len(out.roi_boxes) == 8
    assert np.isfinite(out.roi_features).all()


def test_half_precision_finds_the_same(trained):
    detector, _ = trained
    plain = detector.describe(tiny_batch(2), 8)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = detector.describe(tiny_batch(2), 8)
    for a, b in zip(plain, mixed):
        assert {b.roi_boxes.dtype, b.roi_features.dtype, b.detections.scores.dtype} == {np.dtype(np.float32)}
        sure = a.detections.scores > 0.5
        iou = ops.iou_3d(a.detections.boxes[sure], b.detections.boxes)
        match = iou.argmax(axis=1)
        assert (iou.max(axis=1) > 0.7).all()
        np.testing.assert_allclose(b.detections.scores[match], a.detections.scores[sure], atol=0.1)
        assert b.detections.labels[match].tolist() == a.detections.labels[sure].tolist()


def test_half_precision_leaves_the_second_stage_alone(trained):
    """Only the 2D backbone runs in half precision: all heads work in float32, given the same input."""
    detector, _ = trained
    with torch.no_grad():
        data = detector(**tiny_batch(2))
        with torch.autocast("cpu", torch.bfloat16):
            mixed = detector.roi_head(detector.point_head(detector.pfe(data)))
            maps = detector.backbone_2d(data)["spatial_features_2d"]
            dense = detector.dense_head({**data, "spatial_features_2d": maps})
    for name in ("keypoint_logits", "roi_features", "roi_logits", "roi_boxes"):
        assert torch.equal(mixed[name], data[name])
    assert maps.dtype == torch.bfloat16
    assert dense["cls_preds"].dtype == dense["box_preds"].dtype == torch.float32
    assert not torch.equal(dense["cls_preds"], data["cls_preds"])
    torch.testing.assert_close(dense["cls_preds"].sigmoid(), data["cls_preds"].sigmoid(), atol=0.05, rtol=0)


def test_half_precision_trains():
    detector = build_detector(PV_RCNN, tiny_data(), seed=0).train()
    with torch.autocast("cpu", torch.bfloat16):
        losses = detector(mode="loss", **tiny_batch(2))
    assert {value.dtype for value in losses.values()} == {torch.float32}
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in detector.parameters())


def test_a_diverged_detector_says_so(trained):
    detector = copy.deepcopy(trained[0])
    torch.nn.init.constant_(detector.dense_head.conv_cls.bias, float("nan"))
    with pytest.raises(KecorError, match=r"frame 000000.*diverged"):
        detector.test_step(tiny_batch())


LIMITS = {"pre_nms": 9, "post_nms": 9, "nms_threshold": 0.7}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pfe": {"keypoint": 1}}, r"detector\.pfe\.keypoint.*'keypoints'"),
        ({"pfe": {"type": "pillars"}}, r"detector\.pfe\.type: got 'pillars'; expected one of"),
        ({"point_head": {"width": [1]}}, r"detector\.point_head\.width.*'widths'"),
        ({"roi_head": {"gridsize": 6}}, r"detector\.roi_head\.gridsize.*'grid_size'"),
        ({"vfe": {}}, r"detector\.vfe"),
        ({"proposals": {"train": {}}}, r"detector\.proposals: got train; expected train and test"),
        (
            {"proposals": {"train": LIMITS, "test": {**LIMITS, "post_nms": 0}}},
            r"detector\.proposals\.test: pre_nms and",
        ),
    ],
)
def test_wrong_arguments_are_config_errors(changes, message):
    with pytest.raises(ConfigError, match=message):
        build_detector({**PV_RCNN, **changes}, tiny_data())


@pytest.mark.parametrize(("name", "n"), [("pv_rcnn_small", 2), pytest.param("pv_rcnn", 1, marks=pytest.mark.slow)])
def test_all_stages_on_real_frames_are_the_published_ones(name, n):
    config = load_config(CONFIGS / "kitti" / f"{name}.yaml")
    frames = KittiDataset(shared_data("kitti_mini"), "val", config.data.classes)
    samples = Samples(frames.read, frames.ids[:n], config.data, training=False)
    detector = build_detector(config.detector, config.data, seed=0).eval()
    randomise(detector)
    with torch.no_grad():
        detector.roi_head.reg_layers[-1].weight.mul_(100)
        pooled, fused = [], []
        detector.roi_head.shared_fc_layer.register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
        detector.pfe.vsa_point_feature_fusion.register_forward_hook(lambda _, args, out: fused.append(out))
        data = collate([samples[i] for i in range(n)])
        for stage in detector.stages[:-1]:
            data = getattr(detector, stage)(data)
        for rois, keypoints in zip(data["rois"], data["keypoints"]):  # few of random proposals hold a keypoint
            rois.boxes[::2, :3] = keypoints[-len(rois.boxes) :: 2]
        data = detector.roi_head(data)
        expected = second_stage(detector, data)
    got = {**data, "fused": fused[0], "pooled": pooled[0].view(expected["pooled"].shape)}
    assert torch.equal(torch.cat(got.pop("keypoints")), expected.pop("keypoints"))
    for stage, value in expected.items():
        assert value.std(dim=0).mean() > 1e-4, f"{stage}: says nothing"
        assert_near(got[stage], value, 1e-3)
