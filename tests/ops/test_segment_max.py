import numpy as np
import pytest
import torch

from kecor import ops


def plain(values, counts):
    """(M, C) maxima and the gradient of their sum."""
    out, grad = np.zeros((len(counts), values.shape[1])), np.zeros(values.shape)
    begin = 0
    for m, count in enumerate(counts):
        for c in range(values.shape[1] if count else 0):
            run = values[begin : begin + count, c].tolist()
            out[m, c] = max(run)
            grad[begin + run.index(max(run)), c] = 1
        begin += count
    return out, grad


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_equals_a_plain_loop(dtype):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 6, 40)
    array = rng.integers(-3, 3, (counts.sum(), 7)).astype(np.float64)  # with ties
    values = torch.from_numpy(array).to(dtype).requires_grad_()
    maxima, grad = plain(array, counts)
    out = ops.segment_max(values, torch.from_numpy(counts))
    assert out.dtype == dtype
    assert out.tolist() == maxima.tolist()
    out.sum().backward()
    assert values.grad.tolist() == grad.tolist()


@pytest.mark.usefixtures("way")
def test_gradients():
    values = torch.randperm(36, generator=torch.Generator().manual_seed(0)).double().reshape(9, 4).requires_grad_()
    counts = torch.tensor([0, 3, 1, 0, 5, 0])
    assert torch.autograd.gradcheck(lambda v: ops.segment_max(v, counts), (values,))
    (grad,) = torch.autograd.grad(ops.segment_max(values, counts).square().sum(), values, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.usefixtures("way")
def test_empty_runs_give_zero_whatever_is_below():
    values = torch.full((2, 3), -5.0, requires_grad=True)
    out = ops.segment_max(values, torch.tensor([0, 2, 0]))
    assert out.tolist() == [[0] * 3, [-5] * 3, [0] * 3]
    out.backward(torch.tensor([[7.0] * 3, [1] * 3, [9] * 3]))
    assert values.grad.tolist() == [[1] * 3, [0] * 3]


@pytest.mark.usefixtures("way")
def test_nothing():
    none = torch.zeros(0, dtype=torch.int64)
    assert ops.segment_max(torch.zeros(0, 3), none).shape == (0, 3)
    values = torch.zeros(0, 3, requires_grad=True)
    out = ops.segment_max(values, torch.zeros(4, dtype=torch.int64))
    out.sum().backward()
    assert out.tolist() == [[0] * 3] * 4
    assert values.grad.shape == (0, 3)
    assert ops.segment_max(torch.zeros(4, 0), torch.tensor([4])).shape == (1, 0)


@pytest.mark.usefixtures("way")
def test_infinite_values_and_nan():
    nan, inf = torch.nan, torch.inf
    values = torch.tensor([[nan, 1, -inf], [1, nan, -inf], [2, nan, inf], [5, 5, -inf]], requires_grad=True)
    out = ops.segment_max(values, torch.tensor([3, 1]))
    torch.testing.assert_close(out, torch.tensor([[nan, nan, inf], [5, 5, -inf]]), equal_nan=True)
    out.backward(torch.ones(2, 3))
    assert values.grad.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]


@pytest.mark.usefixtures("way")
def test_layout_does_not_matter():
    values = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    counts = torch.tensor([2, 4])
    expected = ops.segment_max(values, counts)
    moved = values.T.contiguous().T.requires_grad_()
    out = ops.segment_max(moved, torch.stack([counts, counts], 1)[:, 0])
    assert torch.equal(out, expected)
    out.T.contiguous().T.backward(torch.ones(4, 2).T)
    assert moved.grad.sum() == 8
    assert torch.equal(ops.segment_max(torch.cat([values, values], 1)[:, :4], counts), expected)


@pytest.mark.parametrize(
    ("values", "counts", "message"),
    [
        (torch.zeros(4), torch.tensor([4]), "values: expected floating"),
        (torch.zeros(4, 2, dtype=torch.int64), torch.tensor([4]), "values: expected floating"),
        (torch.zeros(4, 2), torch.tensor([[4]]), r"counts: expected int64 \(M,\), got torch.int64 \(1, 1\)"),
        (torch.zeros(4, 2), torch.tensor([4.0]), "counts: expected int64"),
        (torch.zeros(4, 2), torch.tensor([3]), "counts: expected non-negative counts of 4 rows in all, got 3"),
        (torch.zeros(4, 2), torch.tensor([5, -1]), "counts: expected non-negative"),
    ],
)
def test_wrong_arguments(values, counts, message):
    with pytest.raises(ValueError, match=message):
        ops.segment_max(values, counts)
