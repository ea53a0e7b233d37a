"""Arrays give arrays, tensors give tensors; the device decides what computes."""

import numpy as np
import pytest
import torch

from kecor import ops
from kecor.ops.dispatch import also_for_tensors
from tests.ops import reference

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
