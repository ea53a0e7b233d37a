import numpy as np
import pytest
import torch

from kecor import ops
from kecor.ops import grouping


def some(dtype=torch.float64, n=9, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    counts = torch.tensor([2, 0, 5, 1, 0])
    values = torch.from_numpy(rng.normal(size=(n, channels))).to(dtype)
    centres = torch.from_numpy(rng.normal(size=(5, channels))).to(dtype)
    return values, torch.from_numpy(rng.integers(0, n, 8)), centres, counts


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_equals_a_plain_loop(dtype):
    values, index, centres, counts = some(dtype)
    out = ops.group(values, index, centres, counts)
    assert out.dtype == dtype
    e = 0
    for m, count in enumerate(counts.tolist()):
        for _ in range(count):
            assert torch.equal(out[e], values[index[e]] - centres[m])
            e += 1
    assert e == len(out)


@pytest.mark.usefixtures("way")
def test_gradients():
    values, index, centres, counts = some()
    function = lambda v, c: ops.group(v, index, c, counts)  # noqa: E731
    assert torch.autograd.gradcheck(function, (values.requires_grad_(), centres.requires_grad_()))
    assert torch.autograd.gradcheck(function, (values.detach(), centres))
    assert torch.autograd.gradcheck(function, (values, centres.detach()))


@pytest.mark.usefixtures("way")
def test_gradient_by_hand():
    values, centres = torch.zeros(3, 2, requires_grad=True), torch.zeros(2, 2, requires_grad=True)
    out = ops.group(values, torch.tensor([2, 0, 2]), centres, torch.tensor([1, 2]))
    out.backward(torch.tensor([[1.0, 10], [2, 20], [4, 40]]).T.contiguous().T)
    assert values.grad.tolist() == [[2, 20], [0, 0], [5, 50]]
    assert centres.grad.tolist() == [[-1, -10], [-6, -60]]


@pytest.mark.usefixtures("way")
def test_differentiable_once_only():
    values, index, centres, counts = some()
    out = ops.group(values.requires_grad_(), index, centres, counts).square().sum()
    (grad,) = torch.autograd.grad(out, values, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.usefixtures("way")
def test_nothing():
    none = torch.zeros(0, dtype=torch.int64)
    assert ops.group(torch.zeros(4, 3), none, torch.zeros(0, 3), none).shape == (0, 3)
    values = torch.zeros(0, 3, requires_grad=True)
    out = ops.group(values, none, torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    out.sum().backward()
    assert out.shape == values.grad.shape == (0, 3)


@pytest.mark.usefixtures("way")
def test_layout_does_not_matter():
    values, index, centres, counts = some()
    expected = ops.group(values, index, centres, counts)
    spread = torch.stack([index, index], 1)[:, 0]
    assert torch.equal(ops.group(values.T.contiguous().T, spread, centres.T.contiguous().T, counts), expected)
    twice = torch.cat([values, values], 1)
    assert torch.equal(ops.group(twice[:, :3], index, centres, counts), expected)


def test_both_ways_agree(monkeypatch):
    rng = np.random.default_rng(1)
    counts = torch.from_numpy(rng.integers(0, 9, 300))
    index = torch.from_numpy(rng.integers(0, 500, int(counts.sum())))
    results = []
    for compiled in (True, False):
        monkeypatch.setattr(grouping, "is_compiled_for", lambda tensor, compiled=compiled: compiled)
        generator = torch.Generator().manual_seed(2)
        values = torch.randn(500, 35, generator=generator, requires_grad=True)
        centres = torch.randn(300, 35, generator=generator, requires_grad=True)
        out = ops.group(values, index, centres, counts)
        out.backward(torch.randn(out.shape, generator=generator))
        results.append((out, values.grad, centres.grad))
    assert torch.equal(results[0][0], results[1][0])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"values": torch.zeros(9)}, "values: expected floating"),
        ({"values": torch.zeros(9, 3, dtype=torch.int64)}, "values: expected floating"),
        (
            {"centres": torch.zeros(5, 4).double()},
            r"centres: expected torch.float64 \(M, 3\), got torch.float64 \(5, 4\)",
        ),
        ({"centres": torch.zeros(5, 3)}, r"centres: expected torch.float64 \(M, 3\), got torch.float32"),
        ({"index": torch.zeros(8)}, "index: expected int64"),
        ({"index": torch.tensor([0, 1, 2, 3, 4, 5, 6, 9])}, "index: expected rows 0 to 8, got 0 to 9"),
        ({"index": torch.tensor([0, 1, 2, 3, 4, 5, 6, -1])}, "index: expected rows 0 to 8, got -1 to 6"),
        ({"counts": torch.tensor([2, 0, 5, 1])}, r"counts: expected int64 \(5,\), got torch.int64 \(4,\)"),
        ({"counts": torch.tensor([2, 0, 5, 1, 1])}, "counts: expected non-negative counts of 8 rows in all, got 9"),
        ({"counts": torch.tensor([2, -1, 5, 1, 1])}, "counts: expected non-negative"),
        ({"counts": torch.tensor([2.0, 0, 5, 1, 0])}, "counts: expected int64"),
    ],
)
def test_wrong_arguments(changed, message):
    arguments = dict(zip(["values", "index", "centres", "counts"], some()))
    with pytest.raises(ValueError, match=message):
        ops.group(**(arguments | changed))
