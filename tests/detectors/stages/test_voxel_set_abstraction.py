import numpy as np
import pytest
import torch

from kecor.detectors.grid import Grid
from kecor.detectors.layers.sparse import sparse_tensor
from kecor.detectors.stages.voxel_set_abstraction import STRIDES, VoxelSetAbstraction
from kecor.errors import ConfigError
from tests.detectors.plain_pv_rcnn import (
    PlainKeypoints,
    assert_near,
    furthest_points,
    randomise,
    read_map,
    voxel_centre,
)

GRID = Grid((0.0, -3.2, -3.0, 6.4, 3.2, 1.0), (0.1, 0.1, 0.25), (64, 64, 16))  # a map of 8 x 8 cells of 0.8 m
SCALES = {"x_conv1": 3, "x_conv2": 4, "x_conv3": 5, "x_conv4": 6}
SOURCES = {
    "x_conv4": {"mlps": [[6], [5]], "radii": [2.4, 4.8], "samples": [4, 8]},
    "x_conv2": {"mlps": [[3]], "radii": [1.0], "samples": [4]},
    "raw_points": {"mlps": [[4, 2]], "radii": [0.8], "samples": [4]},
    "x_conv1": {"mlps": [[2]], "radii": [0.6], "samples": [8]},
    "x_conv3": {"mlps": [[7]], "radii": [1.6], "samples": [4]},
}
SIZES = [40, 0, 7]
"""Points of each frame: enough for the 16 keypoints, none, and too few."""


def module(training: bool = False, **changes) -> VoxelSetAbstraction:
    arguments = {"keypoints": 16, "out_channels": 9, "sources": SOURCES, **changes}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pfe = VoxelSetAbstraction(GRID, 4, 10, SCALES, **arguments).train(training)
    randomise(pfe)
    return pfe


def batch(sizes: list[int] | tuple[int, ...] = tuple(SIZES), seed: int = 0) -> dict:
    """Points all over the range, a random map, and voxels of random features where the points are."""
    rng = np.random.default_rng(seed)
    low, high = np.array(GRID.point_cloud_range[:3]), np.array(GRID.point_cloud_range[3:])
    frame = np.repeat(np.arange(len(sizes)), sizes)
    points = rng.uniform(low, high - 1e-3, (len(frame), 3))
    generator = torch.Generator().manual_seed(seed)
    scales = {}
    for name, channels in SCALES.items():
        cells = np.floor((points - low) / GRID.voxel_size / STRIDES[name]).astype(int)
        coords = torch.from_numpy(np.unique(np.column_stack([frame, cells[:, ::-1]]), axis=0))
        shape = [-(-n // STRIDES[name]) for n in GRID.cells[::-1]]
        features = torch.randn(len(coords), channels, generator=generator)
        scales[name] = sparse_tensor(features, coords, shape, len(sizes))
    rows = np.column_stack([frame, points, rng.uniform(0, 1, len(points))])
    return {
        "batch_size": len(sizes),
        "points": torch.from_numpy(rows).float(),
        "spatial_features": torch.randn(len(sizes), 10, *GRID.bev_shape, generator=generator),
        "multi_scale_3d_features": scales,
    }


def reading(pfe: VoxelSetAbstraction, bev: torch.Tensor, places: list[tuple[float, float]]) -> torch.Tensor:
    return pfe._sample_map(bev, torch.tensor([[x, y, 0.0] for x, y in places]))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("sizes", [SIZES, [40], [0, 30]])
def test_is_the_published_module(sizes, training):
    pfe = module(training)
    plain, data = PlainKeypoints(pfe), batch(sizes)
    got = pfe(data)
    keypoints, unfused, fused = plain(data)
    assert [len(k) for k in got["keypoints"]] == [16 if n else 0 for n in sizes]
    for a, b in zip(got["keypoints"], keypoints):
        assert torch.equal(a, b)
    assert_near(got["unfused_features"], unfused, 2e-5)
    assert_near(got["keypoint_features"], fused, 5e-5)
    upstream = torch.randn(fused.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    got["keypoint_features"].backward(upstream.float())
    fused.backward(upstream)
    for a, b in zip(pfe.parameters(), plain.parameters()):
        assert_near(a.grad, b.grad, 1e-4)
    for name, value in plain.state_dict().items():
        assert_near(pfe.state_dict()[name], value, 1e-5)


def test_keypoints_are_the_furthest_points_and_come_again_where_there_are_few():
    data = batch()
    keypoints = module()(data)["keypoints"]
    cloud = data["points"][data["points"][:, 0] == 0, 1:4]
    assert torch.equal(keypoints[0][0], cloud[0])
    distance = (cloud - cloud[0]).norm(dim=1)
    assert torch.equal(keypoints[0][1], cloud[distance.argmax()])
    few = data["points"][data["points"][:, 0] == 2, 1:4]
    assert torch.equal(keypoints[2], few[furthest_points(few.numpy(), 7) * 2 + furthest_points(few.numpy(), 2)])
    assert len(keypoints[2].unique(dim=0)) == 7


def test_points_above_and_below_the_grid_become_keypoints():
    data = batch([40])
    data["points"][0, 3], data["points"][1, 3] = 25.0, -20.0
    got = module()(data)
    heights = got["keypoints"][0][:, 2]
    assert {25.0, -20.0} <= set(heights.tolist())
    plain_points, unfused, _ = PlainKeypoints(module())(data)
    assert torch.equal(got["keypoints"][0], plain_points[0])
    assert_near(got["unfused_features"], unfused, 2e-5)


def test_a_frame_whose_points_are_all_above_the_grid_has_keypoints_but_no_voxel():
    data = batch([30])
    data["points"][:, 3] = 10.0
    data["multi_scale_3d_features"] = {}
    got = module()(data)
    assert got["keypoints"][0].shape == (16, 3)
    assert got["keypoint_features"].shape == (16, 9)
    assert got["keypoint_features"].isfinite().all()


def test_voxel_centres_are_where_they_are_by_hand():
    seen = []
    pfe = module()
    for layer in pfe.SA_layers:
        layer.register_forward_pre_hook(lambda _, args: seen.append(args))
    data = batch([30, 20])
    corner = dict.fromkeys(SCALES, (1, 1, 2, 3))  # frame 1, z 1, y 2, x 3
    for name, channels in SCALES.items():
        data["multi_scale_3d_features"][name] = sparse_tensor(
            torch.full((1, channels), 5.0), torch.tensor([corner[name]]), (16, 64, 64), 2
        )
    pfe(data)
    by_hand = {
        "x_conv1": [0.35, -3.2 + 0.25, -3 + 0.375],
        "x_conv2": [0.7, -3.2 + 0.5, -3 + 0.75],
        "x_conv3": [1.4, -3.2 + 1.0, -3 + 1.5],
        "x_conv4": [2.8, -3.2 + 2.0, -3 + 3.0],
    }
    assert pfe.levels == list(by_hand)
    for (points, features, _), (name, expected) in zip(seen, by_hand.items()):
        assert [len(p) for p in points] == [len(f) for f in features] == [0, 1]
        torch.testing.assert_close(points[1][0], torch.tensor(expected))
        assert voxel_centre(list(corner[name]), STRIDES[name], GRID) == pytest.approx(expected)


def test_a_linear_map_is_read_exactly_and_nothing_is_beyond_its_last_cell():
    """Cell (i, j) stands for the corner of the ground it covers: a map of x and y reads x and y, up to the corner of
    the last cell at 5.6 and 2.4."""
    pfe = module()
    x, y = 0.8 * torch.arange(8.0), -3.2 + 0.8 * torch.arange(8.0)
    bev = torch.stack([x.expand(8, 8), y[:, None].expand(8, 8), torch.ones(8, 8)])
    inside = [(0.0, -3.2), (0.3, -3.0), (3.21, 0.7), (5.59, 2.39), (5.59, -3.2)]
    torch.testing.assert_close(reading(pfe, bev, inside), torch.tensor([[*p, 1] for p in inside]), atol=1e-5, rtol=0)
    beyond = [(5.7, 0.0), (3.0, 2.5), (6.39, 3.19), (5.7, 2.5)]
    assert reading(pfe, bev, beyond).abs().max() < 1e-5


def test_the_map_is_read_as_a_loop_over_points_reads_it():
    pfe = module()
    generator = torch.Generator().manual_seed(0)
    bev = torch.randn(3, 8, 8, generator=generator)
    points = torch.rand(300, 3, generator=generator) * 6.4 + torch.tensor([0, -3.2, 0])
    expected = torch.stack([read_map(bev, point, GRID) for point in points])
    torch.testing.assert_close(pfe._sample_map(bev, points).double(), expected, atol=1e-4, rtol=0)
    assert (expected == 0).all(dim=1).any(), "no point beyond the last cell"


def test_features_stand_in_the_published_order_whatever_that_of_the_config():
    pfe, data = module(), batch()
    found = {}
    pfe.SA_rawpoints.register_forward_hook(lambda _, args, out: found.update(raw_points=out))
    for name, layer in zip(("x_conv1", "x_conv2", "x_conv3", "x_conv4"), pfe.SA_layers):
        assert layer.in_channels == SCALES[name]
        layer.register_forward_hook(lambda _, args, out, name=name: found.update({name: out}))
    unfused = pfe(data)["unfused_features"]
    read = [pfe._sample_map(bev, k) for bev, k in zip(data["spatial_features"], pfe(data)["keypoints"])]
    order = ("raw_points", "x_conv1", "x_conv2", "x_conv3", "x_conv4")
    assert torch.equal(unfused, torch.cat([torch.cat(read), *(found[name] for name in order)], dim=1))
    assert pfe.in_channels == unfused.shape[1] == 10 + 2 + 2 + 3 + 7 + 11


def test_sources_can_be_left_out():
    pfe = module(sources={"x_conv3": SOURCES["x_conv3"]})
    assert pfe.SA_rawpoints is None
    data = batch([20])
    keypoints, unfused, fused = PlainKeypoints(pfe)(data)
    got = pfe(data)
    assert torch.equal(got["keypoints"][0], keypoints[0])
    assert_near(got["unfused_features"], unfused, 2e-5)
    assert_near(got["keypoint_features"], fused, 5e-5)


@pytest.mark.parametrize("training", [False, True])
def test_batches_without_a_point(training):
    pfe, data = module(training), batch([0, 0])
    before = {name: value.clone() for name, value in pfe.state_dict().items()}
    for scales in (data["multi_scale_3d_features"], {}):
        got = pfe({**data, "multi_scale_3d_features": scales})
        assert [k.shape for k in got["keypoints"]] == [(0, 3), (0, 3)]
        assert got["unfused_features"].shape == (0, pfe.in_channels)
        assert got["keypoint_features"].shape == (0, 9)
    assert all(torch.equal(value, before[name]) for name, value in pfe.state_dict().items())


def test_a_frame_reads_the_same_alone_and_in_a_batch():
    pfe, data = module(), batch([40, 25])
    both = pfe(data)
    alone = dict(data, batch_size=1, spatial_features=data["spatial_features"][1:])
    alone["points"] = data["points"][data["points"][:, 0] == 1] - torch.tensor([1.0, 0, 0, 0, 0])
    alone["multi_scale_3d_features"] = {}
    for name, sparse in data["multi_scale_3d_features"].items():
        mine = sparse.indices[:, 0] == 1
        coords = sparse.indices[mine] - torch.tensor([1, 0, 0, 0], dtype=torch.int32)
        alone["multi_scale_3d_features"][name] = sparse_tensor(sparse.features[mine], coords, sparse.spatial_shape, 1)
    got = pfe(alone)
    assert torch.equal(got["keypoints"][0], both["keypoints"][1])
    torch.testing.assert_close(got["keypoint_features"], both["keypoint_features"][16:], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": 0}, "detector.pfe.keypoints"),
        ({"sources": {"x_conv5": SOURCES["x_conv4"]}}, r"detector.pfe.sources.x_conv5.*one of: raw_points, x_conv1"),
        ({"sources": {"x_conv4": {"mlps": [[1]], "radii": [1]}}}, r"detector.pfe.sources.x_conv4.samples is missing"),
        ({"sources": {"x_conv4": {**SOURCES["x_conv4"], "radius": 1}}}, r"x_conv4.radius.*'radii'"),
        ({"sources": {"x_conv4": {**SOURCES["x_conv4"], "radii": [1]}}}, r"detector.pfe.sources.x_conv4: mlps"),
    ],
)
def test_wrong_arguments_are_config_errors(changes, message):
    with pytest.raises(ConfigError, match=message):
        module(**changes)
