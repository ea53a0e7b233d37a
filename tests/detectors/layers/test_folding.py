import copy

import pytest
import torch
from torch import nn

from kecor.detectors.layers.folding import ConvNormReLU
from kecor.detectors.layers.sparse import sparse_tensor, submanifold_block, use_device
from kecor.detectors.stages.height_compression import HeightCompression
from tests.detectors.synthetic import tiny_batch


def randomise(module: nn.Module, seed: int) -> None:
    """Weights and statistics as uneven as after training."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            draw = [torch.rand(layer.num_features, generator=generator) for _ in range(4)]
            layer.weight.data, layer.bias.data = draw[0] + 0.5, draw[1] - 0.5
            layer.running_mean.copy_(draw[2] - 0.5)
            layer.running_var.copy_(draw[3] + 0.1)
        elif hasattr(layer, "weight"):
            layer.weight.data = torch.randn(layer.weight.shape, generator=generator) / 6


def layers() -> list[nn.Module]:
    return [
        *[nn.ZeroPad2d(1), nn.Conv2d(4, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6, eps=1e-3), nn.ReLU()],
        *[nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6, eps=1e-3), nn.ReLU()],
        *[nn.ConvTranspose2d(6, 5, 2, stride=2, bias=False), nn.BatchNorm2d(5, eps=1e-3), nn.ReLU()],
    ]


@pytest.fixture
def stack() -> ConvNormReLU:
    stack = ConvNormReLU(*layers())
    randomise(stack, 0)
    return stack.eval()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 4, 10, 8, generator=torch.Generator().manual_seed(1))


def plainly(stack: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """Layer by layer in float64."""
    return nn.Sequential(*copy.deepcopy(stack)).double().eval()(x.double())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_folded_layers_do_what_the_layers_do_one_by_one(stack, x, layout):
    with torch.no_grad():
        out = stack(x.to(memory_format=layout))
    torch.testing.assert_close(out.double(), plainly(stack, x), atol=1e-6, rtol=1e-5)
    assert (out == 0).any()


def test_folding_never_goes_stale(stack, x):
    stack(x)
    other = ConvNormReLU(*layers())
    randomise(other, 5)
    stack.load_state_dict(other.state_dict())
    torch.testing.assert_close(stack(x).double(), plainly(other, x), atol=1e-6, rtol=1e-5)
    stack.train()(x).mean().backward()
    torch.optim.SGD(stack.parameters(), lr=0.1).step()
    torch.testing.assert_close(stack.eval()(x).double(), plainly(stack, x), atol=1e-6, rtol=1e-5)
    assert stack.double()(x.double()).dtype == torch.float64


def test_training_is_that_of_the_plain_layers_to_the_bit(stack, x):
    plain = nn.Sequential(*copy.deepcopy(stack)).train()
    out = stack.train()(x)
    assert torch.equal(out, plain(x))
    out.square().sum().backward()
    plain(x).square().sum().backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(stack.parameters(), plain.parameters()))
    assert stack.state_dict().keys() == plain.state_dict().keys()


def test_gradients_pass_the_folded_layers(stack, x):
    stack.double()(x.double()).square().sum().backward()
    plain = nn.Sequential(*copy.deepcopy(stack))
    plain.zero_grad()
    plain(x.double()).square().sum().backward()
    for got, expected in zip(stack.parameters(), plain.parameters()):
        torch.testing.assert_close(got.grad, expected.grad)


def test_a_sparse_block_folds_its_statistics():
    block = submanifold_block(4, 6, "a").eval()
    randomise(block, 2)
    use_device(block, torch.device("cpu"))
    coords = (torch.rand(1, 6, 6, 6, generator=torch.Generator().manual_seed(3)) < 0.3).nonzero()
    x = sparse_tensor(torch.randn(len(coords), 4, generator=torch.Generator().manual_seed(4)), coords, (6, 6, 6), 1)
    conv, norm, _ = block
    before = copy.deepcopy(block.state_dict())
    torch.testing.assert_close(block(x).features, norm(conv(x).features).relu(), atol=1e-6, rtol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in block.state_dict().items())


def test_the_map_is_the_same_in_both_layouts():
    coords = tiny_batch(2)["voxel_coords"][::7]
    generator = torch.Generator().manual_seed(0)
    sparse = sparse_tensor(torch.randn(len(coords), 5, generator=generator), coords, (41, 128, 128), 2)
    compress = HeightCompression()
    trained, run = (
        compress.train(mode)({"encoded_spconv_tensor": sparse})["spatial_features"] for mode in (True, False)
    )
    assert trained.is_contiguous()
    assert run.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(trained, run)
    b, z, y, x = coords[3].tolist()
    assert torch.equal(run[b, z::41, y, x], sparse.features[3])
