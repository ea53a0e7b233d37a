"""The factors of a head's Jacobian, and the kernels made of them, against Jacobians by autograd in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kecor.ntk import ProxyHead
from kecor.ntk.jacobians import factor_sizes, layer_factors
from kecor.ntk.kernels import FactorNTK, JacobianNTK, LastLayer
from tests.ntk.worlds import autograd_gram


def make_head(channels, outputs, hidden, seed=0):
    head = ProxyHead(channels, outputs, torch.Generator().manual_seed(seed), hidden).double()
    rng = torch.Generator().manual_seed(seed + 1)
    for layer in head.layers:  # a new head has no biases
        layer.bias.data.normal_(generator=rng)
    return head.requires_grad_(False)


def make_frames(rng, n, n_rois, channels, size=1.0):
    """Frames, some of whose RoIs weigh nothing; the last frame's none does."""
    x, w = size * rng.normal(size=(n, n_rois, channels)), rng.uniform(size=(n, n_rois))
    w[rng.random((n, n_rois)) < 0.2] = 0
    w[-1] = 0
    return torch.from_numpy(x), torch.from_numpy(w)


def assert_close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-10 * max(1e-300, abs(expected).max()))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 4),
    st.lists(st.integers(1, 7), min_size=1, max_size=3),
    st.sampled_from([0.01, 1.0, 30.0]),
    st.sampled_from(["sum", "full"]),
)
def test_kernels_are_inner_products_of_autograd_jacobians(seed, n, n_rois, channels, outputs, hidden, size, output):
    head = make_head(channels, outputs, hidden, seed)
    x, w = make_frames(np.random.default_rng(seed), n, n_rois, channels, size)
    expected = autograd_gram(head, x, w, output)
    kernels = [JacobianNTK(head, output)] + ([FactorNTK(head, output)] if n_rois == 1 else [])
    for kernel in kernels:
        rep = kernel.represent(x, w)
        assert_close(kernel.gram(rep, rep).numpy(), expected)
        assert_close(kernel.diagonal(rep).numpy(), expected.diagonal())
    last = LastLayer(head, output)
    rep = last.represent(x, w)
    assert_close(last.gram(rep, rep).numpy(), autograd_gram(head, x, w, output, f"layers.{len(hidden)}"))


@pytest.mark.parametrize("output", ["sum", "full"])
def test_outer_products_of_the_factors_are_each_layers_jacobian(output):
    head, (x, w) = make_head(6, 3, (7, 5)), make_frames(np.random.default_rng(0), 4, 2, 6)
    factors = layer_factors(head, x, w, output)
    for k, (a, d) in enumerate(factors):
        layer = a.transpose(1, 2) @ d  # (n, inputs, outputs)
        assert_close(
            torch.einsum("iab,jab->ij", layer, layer).numpy(), autograd_gram(head, x, w, output, f"layers.{k}.weight")
        )
        bias = d.sum(1)
        assert_close((bias @ bias.T).numpy(), autograd_gram(head, x, w, output, f"layers.{k}.bias"))


@pytest.mark.parametrize("hidden", [(4,), (7, 5), (3, 4, 5)])
@pytest.mark.parametrize("output", ["sum", "full"])
def test_factors_are_as_wide_as_announced(output, hidden):
    head = make_head(6, 3, hidden)
    factors = layer_factors(head, *make_frames(np.random.default_rng(0), 2, 3, 6), output)
    assert [(a.shape[-1], d.shape[-1]) for a, d in factors] == factor_sizes(head, output)


def test_neither_inputs_nor_weights_are_changed():
    head, (x, w) = make_head(6, 3, (7, 5)), make_frames(np.random.default_rng(0), 2, 3, 6)
    before = x.clone(), w.clone(), [p.clone() for p in head.parameters()]
    layer_factors(head, x, w, "full")
    assert torch.equal(x, before[0])
    assert torch.equal(w, before[1])
    assert all(torch.equal(p, q) for p, q in zip(head.parameters(), before[2]))
