"""The closed-form kernels against Jacobians by autograd, in float64."""

import pytest
import torch

from kecor.ntk import KernelMatrix, ProxyHead, RoiFrames, build_kernel
from kecor.ntk.jacobians import factor_sizes, layer_factors
from tests.ntk.worlds import frame_set


def make_head(frames, seed=0, outputs=3):
    return ProxyHead(frames.width, outputs, torch.Generator().manual_seed(seed), hidden=(7, 5)).double()


def frame_jacobian(head, x, w, output):
    """(O, P) Jacobian of a frame's outputs (or of their sum) by every weight and bias, by autograd."""
    parameters = dict(head.named_parameters())

    def outputs(values):
        y = (torch.func.functional_call(head, values, (x,)) * w[:, None]).sum(0)
        return y.sum()[None] if output == "sum" else y

    jacobian = torch.func.jacrev(outputs)(parameters)
    return torch.cat([part.flatten(1) for part in jacobian.values()], 1)


def reference_gram(head, frames, output):
    x, w = frames.read(slice(None))
    jacobians = torch.stack([frame_jacobian(head, *pair, output) for pair in zip(x, w)])
    return torch.einsum("iop,jop->ij", jacobians, jacobians).detach().numpy()


@pytest.mark.parametrize("output", ["sum", "full"])
@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
def test_kernel_is_the_inner_product_of_autograd_jacobians(arrangement, output):
    frames = RoiFrames(frame_set(), arrangement, dtype=torch.float64)
    head = make_head(frames)
    matrix = KernelMatrix(build_kernel("ntk", frames, head, output), frames)
    expected = reference_gram(head, frames, output)
    got = matrix.cross(matrix)
    if arrangement == "flatten":  # by convention a frame without RoIs is nothing, not a vector of zeros
        expected[-1] = expected[:, -1] = 0
    scale = abs(expected).max()
    assert abs(got - expected).max() < 1e-12 * scale
    assert abs(matrix.diagonal() - expected.diagonal()).max() < 1e-12 * scale
    assert abs(matrix.column(2) - expected[:, 2]).max() < 1e-12 * scale


@pytest.mark.parametrize("output", ["sum", "full"])
def test_factors_are_as_wide_as_announced(output):
    frames = RoiFrames(frame_set(), dtype=torch.float64)
    head = make_head(frames)
    factors = layer_factors(head, *frames.read(slice(0, 2)), output)
    assert [(a.shape[-1], d.shape[-1]) for a, d in factors] == factor_sizes(head, output)


def test_frame_without_rois_has_a_kernel_of_zero():
    frames = RoiFrames(frame_set(), dtype=torch.float64)
    matrix = KernelMatrix(build_kernel("ntk", frames, make_head(frames)), frames)
    assert matrix.diagonal()[-1] == 0
    assert not matrix.column(4).any()
