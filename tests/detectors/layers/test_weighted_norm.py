import pytest
import torch
from torch import nn

from kecor.detectors.layers.weighted_norm import WeightedNorm

COUNTS = torch.tensor([3, 1, 5, 2, 1, 16, 4])


def problem(seed: int = 0):
    """(7, 5) rows, their counts, the gradient of each copy of a row, and two layers with the same parameters."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(len(COUNTS), 5, generator=generator, dtype=torch.float64) * 3 + 1
    upstream = torch.randn(int(COUNTS.sum()), 5, generator=generator, dtype=torch.float64)
    ours, plain = WeightedNorm(5, momentum=0.3).double(), nn.BatchNorm2d(5, momentum=0.3).double()
    with torch.no_grad():
        for values in (ours.weight, ours.bias, ours.running_mean):
            values.normal_(generator=generator)
        ours.running_var.uniform_(0.5, 2, generator=generator)
    plain.load_state_dict(ours.state_dict())
    return rows, upstream, ours, plain


def summed(copies: torch.Tensor) -> torch.Tensor:
    """What the copies of each row have in all."""
    return torch.stack([part.sum(0) for part in copies.split(COUNTS.tolist())])


def near(got: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(got, expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("training", [True, False])
def test_is_batch_normalisation_of_the_repeated_rows(training):
    rows, upstream, ours, plain = problem()
    ours.train(training), plain.train(training)
    a, b = rows.clone().requires_grad_(), rows.clone().requires_grad_()
    for _ in range(3):
        got = ours(a, COUNTS.double())
        expected = plain(b.repeat_interleave(COUNTS, dim=0)[:, :, None, None])[:, :, 0, 0]
    near(got.repeat_interleave(COUNTS, dim=0), expected)
    got.backward(summed(upstream))
    expected.backward(upstream)
    near(a.grad, b.grad)
    for name, parameter in ours.named_parameters():
        near(parameter.grad, dict(plain.named_parameters())[name].grad)
    for name, value in plain.state_dict().items():
        near(ours.state_dict()[name], value)
    assert int(ours.num_batches_tracked) == 3 * training


def test_gradients_are_right():
    rows, _, layer, _ = problem()
    layer.weight.requires_grad_(), layer.bias.requires_grad_()

    def run(rows, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (rows, COUNTS.double()))

    assert torch.autograd.gradcheck(run, (rows.requires_grad_(), layer.weight, layer.bias))


def test_rows_of_weight_zero_change_nothing():
    rows, upstream, ours, plain = problem()
    extra = torch.full((2, 5), 100.0, dtype=torch.float64)
    a, b = torch.cat([rows, extra]).requires_grad_(), rows.clone().requires_grad_()
    got = ours(a, torch.cat([COUNTS, torch.zeros(2)]).double())
    expected = plain(b.repeat_interleave(COUNTS, dim=0)[:, :, None, None])[:, :, 0, 0]
    near(got[:-2].repeat_interleave(COUNTS, dim=0), expected)
    near(ours.running_var, plain.running_var)
    (got[:-2] * summed(upstream)).sum().backward()
    (expected * upstream).sum().backward()
    near(a.grad[:-2], b.grad)
    assert not a.grad[-2:].any()
    assert got[-1].isfinite().all()


def test_equal_rows_become_the_bias():
    _, _, layer, _ = problem()
    near(layer(torch.full((3, 5), 7.0, dtype=torch.float64), torch.ones(3).double()), layer.bias.detach().expand(3, 5))


def test_one_row_counted_once_leaves_the_statistics():
    rows, _, layer, _ = problem()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    near(layer(rows[:1], torch.ones(1).double()), layer.bias.detach()[None])
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_eval_mode_is_plain_batch_normalisation_whatever_the_weights():
    rows, _, layer, plain = problem()
    expected = plain.eval()(rows[:, :, None, None])[:, :, 0, 0]
    assert_close = torch.testing.assert_close
    assert_close(layer.eval()(rows, COUNTS.double()), expected, atol=1e-10, rtol=0)
    assert_close(layer(rows, torch.ones(len(rows)).double()), expected, atol=1e-10, rtol=0)
