import math

import pytest
import torch

from kecor.detectors.proposals import Proposals
from kecor.detectors.stages.roi_grid_head import RoiGridHead, grid_points
from kecor.detectors.targets.roi_losses import roi_losses
from kecor.detectors.targets.roi_sampling import RoiSampling, SampledRois
from kecor.errors import ConfigError
from kecor.geometry.boxes import rotate_points
from tests.detectors.plain_pv_rcnn import PlainRoiHead, assert_near, randomise, roi_grid

CHANNELS = 5
ARCHITECTURE = {
    "grid_size": 3,
    "mlps": [[6, 4], [7]],
    "radii": [0.8, 1.6],
    "samples": [4, 8],
    "shared": [16, 12],
    "widths": [8, 8],
    "dropout": 0.0,
}


def head(training: bool = False, **changes) -> RoiGridHead:
    """Of random weights and statistics, so large that boxes move."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = RoiGridHead(CHANNELS, **{**ARCHITECTURE, **changes}).train(training)
    randomise(module)
    with torch.no_grad():
        module.reg_layers[-1].weight.mul_(200)
        module.reg_layers[-1].bias.copy_(torch.linspace(-0.3, 0.3, 7))
    return module


def boxes(n: int, generator: torch.Generator) -> torch.Tensor:
    """(n, 7) around (20, 10, -1)."""
    spread = torch.tensor([3.0, 3, 0.5, 2, 1, 0.5, 2 * math.pi])
    low = torch.tensor([18.5, 8.5, -1.2, 2.5, 1.5, 1.2, -math.pi])
    return torch.rand(n, 7, generator=generator) * spread + low


def proposals(of_frame: torch.Tensor) -> Proposals:
    """Boxes of which nothing else is known."""
    nothing = torch.zeros(0)
    return Proposals(of_frame, nothing, nothing, nothing, nothing)


def frames(n_rois: tuple[int, ...] = (4, 0, 3, 2), n_keypoints: tuple[int, ...] = (60, 9, 0, 30)) -> dict:
    """Among them a frame without RoIs and one without keypoints; a RoI is alone."""
    generator = torch.Generator().manual_seed(0)
    rois = [boxes(n, generator) for n in n_rois]
    rois[-1][-1, 0] += 40
    spread, corner = torch.tensor([8.0, 8.0, 2.0]), torch.tensor([16.0, 6.0, -2.0])
    return {
        "rois": [proposals(of_frame) for of_frame in rois],
        "keypoints": [torch.rand(n, 3, generator=generator) * spread + corner for n in n_keypoints],
        "keypoint_features": torch.randn(sum(n_keypoints), CHANNELS, generator=generator),
    }


def plain_inputs(data: dict) -> tuple:
    features = data["keypoint_features"].double().split([len(k) for k in data["keypoints"]])
    return data["keypoints"], list(features), [rois.boxes for rois in data["rois"]]


def test_grid_points_by_hand():
    left = torch.tensor([[10.0, 5, 1, 4, 2, 1, math.pi / 2]])  # its x looks along y
    steps = [(u, v, w) for u in (-1, 1) for v in (-0.5, 0.5) for w in (-0.25, 0.25)]
    expected = torch.tensor([[[10 - v, 5 + u, 1 + w] for u, v, w in steps]])
    torch.testing.assert_close(grid_points(left, 2), expected, atol=1e-5, rtol=0)
    assert roi_grid(left[0].tolist(), 2) == [pytest.approx(p, abs=1e-5) for p in expected[0].tolist()]
    generator = torch.Generator().manual_seed(0)
    some = boxes(20, generator)
    by_loop = torch.tensor([roi_grid(box, 5) for box in some.tolist()])
    torch.testing.assert_close(grid_points(some, 5), by_loop, atol=1e-5, rtol=0)
    torch.testing.assert_close(grid_points(some, 1)[:, 0], some[:, :3])


@pytest.mark.parametrize("training", [False, True])
def test_is_the_published_head(training):
    module, data, pooled = head(training), frames(), []
    plain = PlainRoiHead(module)
    module.shared_fc_layer.register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
    got, expected = module(data), plain(*plain_inputs(data))
    assert_near(pooled[0], expected["pooled"].flatten(1), 2e-5)
    for name in ("roi_features", "roi_logits", "roi_residuals", "roi_boxes"):
        assert_near(got[name], expected[name], 2e-4)
    assert torch.equal(got["roi_scores"], got["roi_logits"].sigmoid())
    assert (got["roi_boxes"] - torch.cat(plain_inputs(data)[2])).abs().max(dim=0).values.min() > 0.01
    for result in (got, expected):
        (result["roi_logits"].sum() + (result["roi_residuals"] ** 2).sum()).backward()
    for a, b in zip(module.parameters(), plain.parameters()):
        assert_near(a.grad, b.grad, 1e-3)
    for name, value in plain.state_dict().items():
        assert_near(module.state_dict()[name], value, 1e-5)


def test_channels_stand_before_grid_points():
    """Column c * 27 + 9 x + 3 y + z of the pooled features is channel c at grid point (x, y, z)."""
    module, data, pooled = head(), frames((1, 1), (60, 5)), []
    module.shared_fc_layer.register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
    module(data)
    points = grid_points(data["rois"][0].boxes, 3)[0]
    alone = module.roi_grid_pool_layer(data["keypoints"][:1], [data["keypoint_features"][:60]], [points])
    assert (alone.std(dim=0) > 0.01).all()
    for x, y, z, c in ((0, 0, 0, 0), (2, 0, 1, 3), (1, 2, 0, 10), (0, 1, 2, 7)):
        assert pooled[0][0, c * 27 + 9 * x + 3 * y + z] == alone[9 * x + 3 * y + z, c]


def moved(data: dict, angle: float, shift: list[float]) -> dict:
    """Keypoints and RoIs turned about the origin, then shifted."""
    turned = []
    for rois in data["rois"]:
        array = rois.boxes.clone()
        array[:, :3] = torch.from_numpy(rotate_points(rois.boxes[:, :3].double().numpy(), angle))
        array[:, :3] += torch.tensor(shift)
        array[:, 6] += angle
        turned.append(proposals(array))
    keypoints = [torch.from_numpy(rotate_points(k.double().numpy(), angle)).float() for k in data["keypoints"]]
    return {**data, "rois": turned, "keypoints": [k + torch.tensor(shift) for k in keypoints]}


@pytest.mark.parametrize(("angle", "shift"), [(0.0, [4.0, -7.0, 0.5]), (1.1, [0.0, 0, 0]), (-2.5, [-8.0, 3.0, 1.0])])
def test_boxes_move_along_with_rois_and_keypoints(angle, shift):
    """Turned scenes look the same only to a head that does not look at offsets, which stay in the sensor's axes."""
    module, data = head(), frames()
    if angle:
        with torch.no_grad():
            for mlp in module.roi_grid_pool_layer.mlps:
                mlp[0].weight[:, :3] = 0
    before, after = module(data), module(moved(data, angle, shift))
    assert_near(after["roi_scores"], before["roi_scores"], 1e-4)
    found = {"rois": [proposals(before["roi_boxes"].detach())], "keypoints": []}
    expected = moved(found, angle, shift)["rois"][0].boxes
    got = after["roi_boxes"].detach()
    torch.testing.assert_close(got[:, :6], expected[:, :6], atol=2e-3, rtol=0)
    difference = got[:, 6] - expected[:, 6]
    assert (difference - 2 * math.pi * torch.round(difference / (2 * math.pi))).abs().max() < 1e-3
    assert (got[:, 6].abs() <= math.pi + 1e-6).all()


def test_zero_residuals_give_the_rois_back():
    module, data = head(), frames()
    torch.nn.init.zeros_(module.reg_layers[-1].weight)
    torch.nn.init.zeros_(module.reg_layers[-1].bias)
    got, rois = module(data)["roi_boxes"], torch.cat([r.boxes for r in data["rois"]])
    torch.testing.assert_close(got, rois, atol=2e-6, rtol=0)


@pytest.mark.parametrize("training", [False, True])
def test_without_rois_nothing_comes_out(training):
    module = head(training)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    got = module({**frames((1, 1), (9, 9)), "rois": [proposals(torch.zeros(0, 7))] * 2})
    assert got["roi_features"].shape == (0, 12)
    assert got["roi_scores"].shape == (0,)
    assert got["roi_boxes"].shape == (0, 7)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_frame_reads_the_same_alone_and_in_a_batch():
    module, data = head(), frames()
    both, begin = module(data), 0
    features = data["keypoint_features"].split([len(k) for k in data["keypoints"]])
    for rois, keypoints, of_frame in zip(data["rois"], data["keypoints"], features):
        alone = module({"rois": [rois], "keypoints": [keypoints], "keypoint_features": of_frame})
        end = begin + len(rois.boxes)
        for name in ("roi_features", "roi_logits", "roi_boxes"):
            torch.testing.assert_close(alone[name], both[name][begin:end], atol=1e-4, rtol=0)
        begin = end


def test_losses_are_those_of_the_sampled_rois():
    module, data = head(True), frames()
    rois = torch.cat([r.boxes for r in data["rois"]])
    gt_boxes = rois + torch.tensor([0.3, -0.2, 0.1, 0.2, 0.1, 0.1, 0.1])
    iou = torch.linspace(0.2, 0.9, len(rois))
    sizes = [len(r.boxes) for r in data["rois"]]
    samples = [SampledRois(torch.arange(len(g)), g, i) for g, i in zip(gt_boxes.split(sizes), iou.split(sizes))]
    got = module({**data, "samples": samples})
    expected = roi_losses(got["roi_logits"], got["roi_residuals"], rois, gt_boxes, iou, RoiSampling())
    losses = module.loss(got, RoiSampling())
    assert losses.keys() == {"loss_rcnn_cls", "loss_rcnn_reg", "loss_rcnn_corner"}
    assert all(torch.equal(value, expected[name]) and value > 0 for name, value in losses.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid_size": 0}, "detector.roi_head.grid_size"),
        ({"shared": []}, "detector.roi_head: shared and widths"),
        ({"dropout": 1.0}, "dropout"),
        ({"radii": [0.8]}, "detector.roi_head: mlps"),
    ],
)
def test_senseless_values_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        head(**changes)
