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
from kecor.errors import ConfigError
from kecor.ops.roi_pool import pool_bev_grid
from tests.detectors.plain_pv_rcnn import randomise
from tests.detectors.published import checkpoint, second_iou_kitti
from tests.detectors.synthetic import (
    BOXES,
    LABELS,
    NONE,
    SECOND_IOU,
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


def section(name: str) -> dict:
    return load_config(CONFIGS / "kitti" / name).detector


@pytest.fixture(scope="module")
def trained():
    detector, losses = overfit(SECOND_IOU, 40, n_frames=2)
    return detector.eval(), losses


def test_a_published_checkpoint_fits_the_full_config(tmp_path):
    detector = build_detector(section("second_iou.yaml"), KITTI)
    assert {key: list(value.shape) for key, value in detector.state_dict().items()} == second_iou_kitti()
    state = checkpoint(second_iou_kitti(), tmp_path / "c.pth")
    load_pretrained(detector, tmp_path / "c.pth")
    assert all(torch.equal(value, state[key]) for key, value in detector.state_dict().items())


def test_the_defaults_are_the_config_for_kitti():
    full, default = (build_detector(s, KITTI, seed=0) for s in (section("second_iou.yaml"), {"type": "second_iou"}))
    states = full.state_dict(), default.state_dict()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert full.limits == default.limits
    assert full.post_processing == default.post_processing
    assert {**vars(full.sampling), "score_iou": (0.25, 0.75)} == vars(default.sampling)
    assert full.roi_head.grid_size == default.roi_head.grid_size == 7
    dropped = [[m.p for m in d.modules() if isinstance(m, torch.nn.Dropout)] for d in (full, default)]
    assert dropped == [[0.3] * 2] * 2


def test_the_small_config_builds():
    data = tiny_data(point_cloud_range=[0, -39.68, -3, 69.12, 39.68, 1], voxels=VoxelConfig([0.16, 0.16, 0.1]))
    assert build_detector(section("second_iou_small.yaml"), data).roi_feature_channels == 256


def test_training_lowers_the_loss_and_the_objects_are_found(trained):
    detector, losses = trained
    assert losses[-1] < 0.2 * losses[0]
    for found in detector.test_step(tiny_batch(2)):
        iou = ops.iou_3d(BOXES, found.boxes)
        match = iou.argmax(axis=1)
        assert (iou.max(axis=1) > [0.5, 0.5, 0.25]).all(), iou
        assert found.labels[match].tolist() == LABELS.tolist()
        assert (np.diff(found.scores) <= 0).all()
        assert (found.n_points[match] > 60).all()


def test_points_are_counted_in_their_own_frame(trained):
    detector, _ = trained
    ground = scene(BOXES[:0], np.random.default_rng(0))
    full = scene(BOXES, np.random.default_rng(0))
    outputs = detector.test_step(make_batch([(ground, BOXES, LABELS), (full, BOXES, LABELS)], tiny_data()))
    for found, cloud in zip(outputs, (ground, full)):
        assert found.n_points.tolist() == ops.count_points_in_boxes(cloud, found.boxes).tolist()
    assert outputs[1].n_points.max() > 100


def test_scores_say_how_well_a_box_fits(trained):
    """Over all proposals, the score rises with the overlap it stands for."""
    detector, _ = trained
    for out in detector.describe(tiny_batch(2), 24):
        overlap = ops.iou_3d(out.roi_boxes, BOXES).max(axis=1)
        good, bad = out.roi_scores[overlap > 0.6], out.roi_scores[overlap < 0.25]
        assert len(good)
        assert len(bad)
        assert good.mean() > bad.mean() + 0.3


@pytest.mark.parametrize("steps", [0, 1])
def test_every_parameter_gets_a_gradient(trained, steps):
    detector = copy.deepcopy(trained[0]).train() if steps else build_detector(SECOND_IOU, tiny_data(), seed=0).train()
    detector.zero_grad()
    sum(detector(mode="loss", **tiny_batch(2)).values()).backward()
    for name, parameter in detector.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_the_second_stage_teaches_the_first_nothing(trained):
    detector = copy.deepcopy(trained[0]).train()
    detector.zero_grad()
    detector(mode="loss", **tiny_batch(2))["loss_rcnn_iou"].backward()
    reached = {name.split(".")[0] for name, p in detector.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {"roi_head"}


def test_training_twice_gives_the_same_bits():
    (a, losses_a), (b, losses_b) = overfit(SECOND_IOU, 3), overfit(SECOND_IOU, 3)
    assert losses_a == losses_b
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


@pytest.mark.parametrize(
    "frames",
    [
        [NONE],
        [NONE, (scene(BOXES, np.random.default_rng(0)), BOXES, LABELS)],
        [(scene(BOXES[:0], np.random.default_rng(0)), BOXES[:0], LABELS[:0])],
    ],
)
def test_frames_without_points_or_boxes(trained, frames):
    detector, batch = copy.deepcopy(trained[0]).train(), make_batch(frames, tiny_data())
    losses = detector(mode="loss", **batch)
    assert all(value.isfinite() for value in losses.values())
    sum(losses.values()).backward()
    assert all(value.isfinite().all() for value in detector.state_dict().values())
    for out in detector.eval().describe(batch, 8):
        assert len(out.roi_features) == len(out.roi_boxes) == 8
        assert np.isfinite(out.roi_features).all()


def test_half_precision_finds_the_same(trained):
    detector, _ = trained
    plain = detector.test_step(tiny_batch(2))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = detector.test_step(tiny_batch(2))
        losses = copy.deepcopy(detector).train()(mode="loss", **tiny_batch(2))
    assert {value.dtype for value in losses.values()} == {torch.float32}
    for a, b in zip(plain, mixed):
        sure = a.scores > 0.5
        iou = ops.iou_3d(a.boxes[sure], b.boxes)
        match = iou.argmax(axis=1)
        assert (iou.max(axis=1) > 0.7).all()
        np.testing.assert_allclose(b.scores[match], a.scores[sure], atol=0.1)
        assert b.labels[match].tolist() == a.labels[sure].tolist()


@pytest.mark.parametrize(
    ("up", "cell"),
    [({"up_strides": [1, 2]}, 1.6), ({"strides": [2, 1], "up_strides": [1, 1]}, 3.2)],
)
def test_the_head_knows_how_large_a_cell_of_the_map_is(up, cell):
    detector = build_detector({**SECOND_IOU, "backbone_2d": {**SECOND_IOU["backbone_2d"], **up}}, tiny_data())
    assert detector.roi_head.cell == pytest.approx((cell, cell))
    assert detector(**tiny_batch())["spatial_features_2d"].shape[-1] == round(25.6 / cell)


def test_wrong_arguments_are_config_errors():
    with pytest.raises(ConfigError, match=r"detector\.roi_head\.mlps"):
        build_detector({**SECOND_IOU, "roi_head": {"mlps": [[8]]}}, tiny_data())
    with pytest.raises(ConfigError, match=r"detector\.pfe"):
        build_detector({**SECOND_IOU, "pfe": {}}, tiny_data())


def test_regions_of_real_frames_are_read_from_their_own_map():
    config = load_config(CONFIGS / "kitti" / "second_iou_small.yaml")
    frames = KittiDataset(shared_data("kitti_mini"), "val", config.data.classes)
    samples = Samples(frames.read, frames.ids[:2], config.data, training=False)
    detector, pooled = build_detector(config.detector, config.data, seed=0).eval(), []
    randomise(detector)
    detector.roi_head.shared_fc_layer.register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
    with torch.no_grad():
        data = detector(**collate([samples[0], samples[1]]))
    expected = [
        pool_bev_grid(bev, rois.boxes, (0, -39.68), (1.28, 1.28), 7).flatten(1)
        for bev, rois in zip(data["spatial_features_2d"], data["rois"])
    ]
    assert [len(part) for part in expected] == [64, 64]
    torch.testing.assert_close(pooled[0], torch.cat(expected), atol=1e-5, rtol=0)
    assert torch.cat(expected).std(dim=0).mean() > 1e-3
