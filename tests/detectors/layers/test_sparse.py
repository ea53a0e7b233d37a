import pytest
import torch
import torch.nn.functional as F

from kecor.detectors.grid import Grid
from kecor.detectors.layers.sparse import SparseTensor, sparse_tensor, strided_block, submanifold_block, use_device
from kecor.detectors.stages.backbone_3d import VoxelBackbone
from kecor.errors import ConfigError
from tests.detectors.synthetic import VoxelConfig, tiny_batch, tiny_data

SHAPE = (9, 12, 10)


def sparse_and_dense(channels: int, seed: int = 0) -> tuple[SparseTensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(2, *SHAPE, generator=generator) < 0.15
    coords = mask.nonzero()
    assert not coords.is_contiguous()  # spconv itself would misread it
    features = torch.randn(len(coords), channels, generator=generator)
    dense = torch.zeros(2, channels, *SHAPE)
    b, z, y, x = coords.unbind(1)
    dense[b, :, z, y, x] = features
    return sparse_tensor(features, coords, SHAPE, 2), dense


def reference(dense: torch.Tensor, block, stride, padding) -> torch.Tensor:
    conv, norm = block[0], block[1]
    out = F.conv3d(dense.double(), conv.weight.double().permute(0, 4, 1, 2, 3), stride=stride, padding=padding)
    return torch.relu(out / (1 + norm.eps) ** 0.5)  # eval mode, fresh statistics


def at_sites(dense: torch.Tensor, sparse: SparseTensor) -> torch.Tensor:
    b, z, y, x = sparse.indices.long().unbind(1)
    return dense[b, :, z, y, x]


def test_submanifold_block_is_a_dense_convolution_at_the_active_sites():
    sparse, dense = sparse_and_dense(4)
    block = submanifold_block(4, 6, "a").eval()
    use_device(block, torch.device("cpu"))
    out = block(sparse)
    assert torch.equal(out.indices, sparse.indices)
    expected = at_sites(reference(dense, block, 1, 1), out)
    torch.testing.assert_close(out.features.double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [((3, 3, 3), (2, 2, 2), (1, 1, 1)), ((3, 3, 3), (2, 2, 2), (0, 1, 1)), ((3, 1, 1), (2, 1, 1), (0, 0, 0))],
)
def test_strided_block_is_a_dense_convolution_and_zero_elsewhere(kernel, stride, padding):
    sparse, dense = sparse_and_dense(4)
    block = strided_block(4, 6, "a", kernel, stride, padding).eval()
    use_device(block, torch.device("cpu"))
    out = block(sparse)
    expected = reference(dense, block, stride, padding)
    assert tuple(out.spatial_shape) == tuple(expected.shape[2:])
    torch.testing.assert_close(out.features.double(), at_sites(expected, out), atol=1e-5, rtol=0)
    elsewhere = expected.clone()
    b, z, y, x = out.indices.long().unbind(1)
    elsewhere[b, :, z, y, x] = 0
    assert elsewhere.abs().max() == 0


def test_gradients_are_those_of_a_dense_convolution():
    sparse, dense = sparse_and_dense(4)
    block = strided_block(4, 6, "a").eval()
    use_device(block, torch.device("cpu"))
    block(sparse).features.square().sum().backward()
    got = block[0].weight.grad.clone()
    block[0].weight.grad = None
    reference(dense, block, 2, 1).square().sum().backward()
    torch.testing.assert_close(got, block[0].weight.grad, atol=1e-3, rtol=1e-4)


def test_backbone_shapes_are_the_published_ones_and_match_what_comes_out():
    published = tiny_data(point_cloud_range=[0, -40, -3, 70.4, 40, 1], voxels=VoxelConfig([0.05, 0.05, 0.1]))
    assert VoxelBackbone(Grid.from_config(published)).out_shape == (2, 200, 176)
    backbone = VoxelBackbone(Grid.from_config(tiny_data()))
    out = backbone(tiny_batch())["encoded_spconv_tensor"]
    assert tuple(out.spatial_shape) == backbone.out_shape == (2, 16, 16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"voxels": VoxelConfig([0.3, 0.2, 0.1])}, "not a whole number of voxels"),
        ({"point_cloud_range": [0, -12.8, -3, 25.4, 12.8, 1]}, "127 voxels along x are not a multiple of 8"),
        ({"voxels": VoxelConfig([0.2, 0.2, 0.2])}, "20 voxels along z are too few"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        VoxelBackbone(Grid.from_config(tiny_data(**changes)))


def test_an_empty_cloud_gives_a_zero_map_and_autocast_leaves_float32():
    backbone = VoxelBackbone(Grid.from_config(tiny_data())).eval()
    batch = tiny_batch()
    empty = {**batch, "voxel_features": batch["voxel_features"][:0], "voxel_coords": batch["voxel_coords"][:0]}
    assert len(backbone(empty)["encoded_spconv_tensor"].features) == 0
    plain = backbone(batch)["encoded_spconv_tensor"].features
    with torch.autocast("cpu", torch.bfloat16):
        mixed = backbone(batch)["encoded_spconv_tensor"].features
    assert mixed.dtype == torch.float32
    assert torch.equal(plain, mixed)
