"""Arrays give arrays, tensors give tensors; the device decides what computes."""

import numpy as np
import pytest
import torch

from kecor import ops
from kecor.ops.dispatch import also_for_tensors
from tests.ops import clouds, reference

RNG = np.random.default_rng(0)
BOXES, OTHERS = reference.random_boxes(RNG, 12), reference.random_boxes(RNG, 9)
POINTS = RNG.normal([50, -20, -1, 0], 4, (300, 4)).astype(np.float32)
CALLS = {
    "iou_bev": (BOXES, OTHERS),
    "iou_3d": (BOXES, OTHERS),
    "iou_bev_aligned": (BOXES, OTHERS),
    "nms_bev": (BOXES, RNG.uniform(size=12).astype(np.float32), 0.1, 8),
    "points_in_boxes": (POINTS, BOXES),
    "count_points_in_boxes": (POINTS, BOXES),
}


def as_tensors(arguments, device="cpu"):
    return [torch.from_numpy(a).to(device) if isinstance(a, np.ndarray) else a for a in arguments]


@pytest.mark.parametrize("name", CALLS)
def test_tensors_give_the_tensor_of_what_arrays_give(name):
    function, arguments = getattr(ops, name), CALLS[name]
    expected = function(*arguments)
    assert isinstance(expected, np.ndarray)
    tensors = as_tensors(arguments)
    apart = [t.repeat_interleave(2, 0)[::2] if isinstance(t, torch.Tensor) else t for t in tensors]
    attached = [t.clone().requires_grad_() if isinstance(t, torch.Tensor) else t for t in tensors]
    for same in (tensors, apart, attached, [t.double() if isinstance(t, torch.Tensor) else t for t in tensors]):
        got = function(*same)
        assert isinstance(got, torch.Tensor)
        assert not got.requires_grad
        assert got.numpy().dtype == expected.dtype
        np.testing.assert_array_equal(got.numpy(), expected)


def test_arguments_by_name():
    kept = ops.nms_bev(boxes=torch.zeros(3, 7), scores=torch.tensor([1, 3, 2]), threshold=0.5)
    assert torch.equal(kept, torch.tensor([1, 2, 0]))
    half = ops.nms_bev(torch.zeros(3, 7).bfloat16(), scores=torch.tensor([1, 3, 2]).half(), threshold=0.5, max_keep=2)
    assert torch.equal(half, torch.tensor([1, 2]))


def test_the_device_decides():
    function = also_for_tensors(lambda tensor: "in torch")(lambda array: array + 1)
    assert function(np.ones(1)).tolist() == [2]
    assert torch.equal(function(torch.ones(1)), torch.full((1,), 2.0).double())
    assert function(torch.ones(1, device="meta")) == "in torch"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", CALLS)
def test_boxes_on_a_gpu(name):
    expected, got = getattr(ops, name)(*CALLS[name]), getattr(ops, name)(*as_tensors(CALLS[name], "cuda"))
    assert got.is_cuda
    np.testing.assert_allclose(got.cpu().numpy(), expected, rtol=1.2e-7, atol=1e-12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("points", (clouds.degenerate() | {"a street": clouds.street(20_000)}).values())
def test_points_on_a_gpu(points):
    rows = ops.furthest_point_sample(points, 400)
    assert torch.equal(ops.furthest_point_sample(points.cuda(), 400).cpu(), rows)
    for got, right in zip(
        ops.ball_query(points.cuda(), points[rows].cuda(), 0.8, 16), ops.ball_query(points, points[rows], 0.8, 16)
    ):
        assert torch.equal(got.cpu(), right)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_features_on_a_gpu():
    points = clouds.street(3000)
    index, counts = ops.ball_query(points, points[:200], 1.0, 16)
    weights, results = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), []
    for device in ("cpu", "cuda"):
        values, centres = points.to(device).requires_grad_(), points[:200].to(device).requires_grad_()
        grouped = ops.group(values, index.to(device), centres, counts.to(device))
        out = ops.segment_max(grouped, counts.to(device))
        out.backward(weights.to(device))
        results.append([t.cpu() for t in (grouped, out, values.grad, centres.grad)])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
