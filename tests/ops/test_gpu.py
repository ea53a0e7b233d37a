"""The kernels on a CUDA device, compared with the CPU."""

import numpy as np
import pytest
import torch

from kecor import ops
from tests.ops import clouds
from tests.ops.test_dispatch import CALLS, as_tensors

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


@pytest.mark.parametrize("name", CALLS)
def test_boxes_on_a_gpu(name):
    expected, got = getattr(ops, name)(*CALLS[name]), getattr(ops, name)(*as_tensors(CALLS[name], "cuda"))
    assert got.is_cuda
    np.testing.assert_allclose(got.cpu().numpy(), expected, rtol=1.2e-7, atol=1e-12)


@pytest.mark.parametrize("points", (clouds.degenerate() | {"a street": clouds.street(20_000)}).values())
def test_points_on_a_gpu(points):
    rows = ops.furthest_point_sample(points, 400)
    assert torch.equal(ops.furthest_point_sample(points.cuda(), 400).cpu(), rows)
    for got, right in zip(
        ops.ball_query(points.cuda(), points[rows].cuda(), 0.8, 16), ops.ball_query(points, points[rows], 0.8, 16)
    ):
        assert torch.equal(got.cpu(), right)


def test_features_on_a_gpu():
    points = clouds.street(3000)
    index, counts = ops.ball_query(points, points[:200], 1.0, 16)
    weights, results = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), []
    for device in ("cpu", "cuda"):
        values, centres = (t.to(device, copy=True).requires_grad_() for t in (points, points[:200]))
        grouped = ops.group(values, index.to(device), centres, counts.to(device))
        out = ops.segment_max(grouped, counts.to(device))
        out.backward(weights.to(device))
        results.append([t.cpu() for t in (grouped, out, values.grad, centres.grad)])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
