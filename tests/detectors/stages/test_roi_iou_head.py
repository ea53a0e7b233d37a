import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kecor.detectors.grid import Grid
from kecor.detectors.proposals import Proposals
from kecor.detectors.stages.roi_iou_head import RoiIoUHead
from kecor.detectors.targets.roi_sampling import RoiSampling, SampledRois
from kecor.errors import ConfigError
from kecor.ops.roi_pool import pool_bev_grid
from tests.detectors.plain_pv_rcnn import assert_near, conv1d_layers, randomise, take_over

GRID = Grid((2.0, -8.0, -3.0, 34.0, 8.0, 1.0), (0.2, 0.1, 0.25), (160, 160, 16))
ORIGIN, CELL, SHAPE = (2.0, -8.0), (1.6, 0.8), (20, 20)
CHANNELS, SIZE = 3, 4


def bev(shape: tuple[int, ...] = (CHANNELS, *SHAPE), seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def boxes(n: int = 40) -> torch.Tensor:
    """(n, 7) all over the map, some reaching beyond it."""
    rng = np.random.default_rng(0)
    centres = np.column_stack([rng.uniform(1, 35, n), rng.uniform(-9, 9, n), rng.normal(0, 1, n)])
    found = np.column_stack([centres, rng.uniform(0.5, 6, (n, 3)), rng.uniform(-math.pi, math.pi, n)])
    return torch.from_numpy(found).float()


def published(features: torch.Tensor, rois: torch.Tensor, size: int) -> torch.Tensor:
    """(R, C, size, size) by an affine map of a regular grid, as OpenPCDet's SECONDHead pools (written for torch 1.1,
    where ``align_corners`` was true)."""
    features, rois = features.double(), rois.double()
    channels, height, width = features.shape
    x1, x2 = ((rois[:, 0] + sign * rois[:, 3] / 2 - ORIGIN[0]) / CELL[0] for sign in (-1, 1))
    y1, y2 = ((rois[:, 1] + sign * rois[:, 4] / 2 - ORIGIN[1]) / CELL[1] for sign in (-1, 1))
    cos, sin = rois[:, 6].cos(), rois[:, 6].sin()
    row_x = [(x2 - x1) / (width - 1) * cos, -(x2 - x1) / (width - 1) * sin, (x1 + x2 - width + 1) / (width - 1)]
    row_y = [(y2 - y1) / (height - 1) * sin, (y2 - y1) / (height - 1) * cos, (y1 + y2 - height + 1) / (height - 1)]
    theta = torch.stack(row_x + row_y, dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, [len(rois), channels, size, size], align_corners=True)
    return F.grid_sample(features.expand(len(rois), -1, -1, -1), grid, align_corners=True)


def head(training: bool = False, **changes) -> RoiIoUHead:
    arguments = {"grid_size": SIZE, "shared": [16, 12], "widths": [8, 8], "dropout": 0.0, **changes}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = RoiIoUHead(CHANNELS, GRID, 8, **arguments).train(training)
    randomise(module)
    return module


def frames(sizes: tuple[int, ...] = (20, 0, 20)) -> dict:
    parts, nothing = boxes(sum(sizes)).split(sizes), torch.zeros(0)
    return {
        "rois": [Proposals(part, nothing, nothing, nothing, nothing) for part in parts],
        "spatial_features_2d": bev((len(sizes), CHANNELS, *SHAPE)),
    }


@pytest.mark.parametrize("size", [2, 4, 7])
@pytest.mark.parametrize("shape", [SHAPE, (20, 12), (9, 20)])
def test_pooling_is_the_published_one(shape, size):
    features = bev((CHANNELS, *shape))
    expected = published(features, boxes(), size)
    assert_near(pool_bev_grid(features, boxes(), ORIGIN, CELL, size), expected, 1e-4)
    assert (expected == 0).any(), "nothing beyond the map"


def map_of_places() -> torch.Tensor:
    """(2, 20, 20): the x and y that each cell stands for."""
    x, y = ORIGIN[0] + CELL[0] * torch.arange(20.0), ORIGIN[1] + CELL[1] * torch.arange(20.0)
    return torch.stack([x.expand(20, 20), y[:, None].expand(20, 20)])


def test_pooling_reads_from_edge_to_edge():
    """On a map of x and y, what is read is where it was read: by hand, for a box of 6 x 3 m that looks along x."""
    got = pool_bev_grid(map_of_places(), torch.tensor([[18.0, 1.0, 0, 6.0, 3.0, 1, 0]]), ORIGIN, CELL, 7)[0]
    x = torch.tensor([15.0, 16.0, 17.0, 18.0, 19.0, 20.0, 21.0])
    y = torch.tensor([-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    torch.testing.assert_close(got, torch.stack([x.expand(7, 7), y[:, None].expand(7, 7)]), atol=1e-4, rtol=0)


def test_the_grid_of_a_turned_box_is_sheared():
    """By hand: turned a quarter, a box of 6 x 3 m is still read 6 m wide along x and 3 m along y."""
    box = torch.tensor([[18.0, 1.0, 0, 6.0, 3.0, 1, math.pi / 2]])
    got = pool_bev_grid(map_of_places(), box, ORIGIN, CELL, 3)[0]
    x = torch.tensor([21.0, 18.0, 15.0])[:, None].expand(3, 3)
    y = torch.tensor([-0.5, 1.0, 2.5]).expand(3, 3)
    torch.testing.assert_close(got, torch.stack([x, y]), atol=1e-4, rtol=0)


def test_a_grid_of_one_point_reads_the_centre():
    got = pool_bev_grid(map_of_places(), torch.tensor([[18.0, 1.0, 0, 6.0, 3.0, 1, 0.4]]), ORIGIN, CELL, 1)
    torch.testing.assert_close(got, torch.tensor([18.0, 1.0]).view(1, 2, 1, 1), atol=1e-4, rtol=0)


def test_the_outermost_cells_of_the_map_are_read_and_nothing_beyond_them():
    """By hand: the last cells stand for x = 32.4 and y = 7.2; halfway to where the next would be, half is left."""
    boxes = torch.tensor([[32.4, 7.2, 0, 1, 1, 1, 0], [33.2, 0, 0, 1, 1, 1, 0], [2.0, -8.0, 0, 1, 1, 1, 0]])
    got = pool_bev_grid(torch.ones(1, 20, 20), boxes, ORIGIN, CELL, 1).flatten()
    torch.testing.assert_close(got, torch.tensor([1.0, 0.5, 1.0]), atol=1e-4, rtol=0)


def test_pooling_no_box_gives_no_row():
    assert pool_bev_grid(bev(), boxes(0), ORIGIN, CELL, 7).shape == (0, CHANNELS, 7, 7)


@pytest.mark.parametrize("training", [False, True])
def test_is_the_published_head(training):
    module, data = head(training), frames()
    shared, last = (conv1d_layers(layers) for layers in (module.shared_fc_layer, module.iou_layers))
    take_over(shared, module.shared_fc_layer)
    take_over(last, module.iou_layers)
    pooled = [published(m, r.boxes, SIZE) for m, r in zip(data["spatial_features_2d"], data["rois"]) if len(r.boxes)]
    features = shared(torch.cat(pooled).flatten(1)[..., None])
    logits = last(features)[:, 0, 0]
    got = module(data)
    assert_near(got["roi_features"], features[..., 0], 1e-4)
    assert_near(got["roi_logits"], logits, 1e-4)
    assert torch.equal(got["roi_scores"], got["roi_logits"].sigmoid())
    assert torch.equal(got["roi_boxes"], torch.cat([r.boxes for r in data["rois"]]))
    got["roi_logits"].square().sum().backward()
    logits.square().sum().backward()
    for a, b in zip(module.parameters(), [*shared.parameters(), *last.parameters()]):
        assert_near(a.grad, b.grad, 1e-3)


def test_no_gradient_reaches_the_map():
    module, data = head(True), frames()
    data["spatial_features_2d"].requires_grad_()
    module(data)["roi_logits"].sum().backward()
    assert data["spatial_features_2d"].grad is None
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("training", [False, True])
def test_without_rois_nothing_comes_out(training):
    module = head(training)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    got = module(frames((0, 0)))
    assert got["roi_features"].shape == (0, 12)
    assert got["roi_scores"].shape == (0,)
    assert got["roi_boxes"].shape == (0, 7)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_loss_is_the_cross_entropy_of_the_scaled_overlap():
    module, data = head(), frames()
    iou = torch.linspace(0, 1, 40)
    empty = torch.zeros(0, 7)
    samples = [SampledRois(torch.zeros(0), empty, part) for part in iou.split([20, 0, 20])]
    got = module({**data, "samples": samples})
    ((name, loss),) = module.loss(got, RoiSampling()).items()
    expected = 0.0
    for x, overlap in zip(got["roi_logits"].tolist(), iou.tolist()):
        target, p = min(1, max(0, 2 * overlap - 0.5)), 1 / (1 + math.exp(-x))
        expected -= (target * math.log(p) + (1 - target) * math.log(1 - p)) / 40
    assert name == "loss_rcnn_iou"
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("changes", [{"grid_size": 0}, {"shared": []}, {"dropout": 1.0}])
def test_senseless_values_are_named(changes):
    with pytest.raises(ConfigError, match=r"detector\.roi_head"):
        head(**changes)
