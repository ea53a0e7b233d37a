"""The kernel that is computed as it is asked for, against the whole of it; memory, precision, and bad values."""

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kecor.errors import SelectionError
from kecor.ntk import PoolKernel, ProxyHead, RoiFrames, build_kernel
from kecor.ntk.kernels import Linear
from kecor.ntk.storage import matmul_precision
from kecor.structures import FrameSet
from tests.ntk.worlds import autograd_gram, frame_set, nasty_frame_set, plain_frames, rows

POOL, LABELLED = nasty_frame_set(13, seed=1, prefix="p"), nasty_frame_set(4, seed=2, prefix="l")
HEAD = ProxyHead(6, 3, torch.Generator().manual_seed(0), hidden=(7, 5)).double().requires_grad_(False)
X, W = (torch.cat(pair) for pair in zip(plain_frames(POOL, "per_roi"), plain_frames(LABELLED, "per_roi")))
GRAM = autograd_gram(HEAD, X, W)
GRAM /= np.diag(GRAM)[13:].mean()
OWN = np.sqrt(np.where(np.diag(GRAM) > 0, np.diag(GRAM), 1) * 0.75)  # one labelled frame of four has no RoI
WIDTH = 8 * (6 * 7 + 7 + 7 * 5 + 5 + 5 + 1)
"""Bytes of one representation."""


def ntk(pool=POOL, labelled=LABELLED, normalise=False):
    pool, labelled = (RoiFrames(frames, dtype=torch.float64) for frames in (pool, labelled))
    return PoolKernel(build_kernel("ntk", labelled, HEAD), pool, labelled, normalise=normalise)


def counted(kernel):
    """The number of frames represented, in a list that grows."""
    counts, represent = [], kernel.kernel.represent
    kernel.kernel.represent = lambda x, w: counts.append(len(x)) or represent(x, w)
    return counts


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6),
    st.sampled_from([1, 3 * WIDTH, 1 << 20]),
    st.sampled_from([1, 2 * WIDTH, 7 * WIDTH, 1 << 20]),
    st.sampled_from([1, 60, 1 << 17]),
    st.booleans(),
)
def test_whatever_is_kept_and_however_it_is_cut_numbers_are_the_same(seed, block, kept, few, normalise):
    rng = np.random.default_rng(seed)
    gram = GRAM / np.outer(OWN, OWN) if normalise else GRAM
    with (
        mock.patch.multiple("kecor.ntk.pool_kernel", BLOCK_BYTES=block, CACHE_BYTES=kept),
        mock.patch("kecor.ntk.roi_frames.FEW_VALUES", few),
    ):
        kernel = ntk(normalise=normalise)
        np.testing.assert_allclose(kernel.known, gram[13:, 13:], rtol=1e-10, atol=1e-12)
        seen, most = [], 0
        for positions, own, cross in kernel.scan():
            np.testing.assert_allclose(own, np.diag(gram)[positions], rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(cross, gram[positions, 13:], rtol=1e-10, atol=1e-12)
            seen += positions.tolist()
            most = max(most, len(positions))
        assert seen == list(range(13))
        assert most <= max(1, few // 24, block // WIDTH)
        conditioning = [13, 14, 15, 16]
        for _ in range(12):
            asked = rng.permutation(13)[: rng.integers(1, most + 1)]
            since = int(rng.integers(0, len(conditioning) + 1))
            values = kernel.cross(asked, since)
            assert values.dtype == np.float64
            np.testing.assert_allclose(values, gram[np.ix_(asked, conditioning[since:])], rtol=1e-10, atol=1e-12)
            if rng.random() < 0.6:
                conditioning.append(int(rng.integers(13)))
                kernel.condition_on(conditioning[-1])


def test_many_frames_may_be_observed():
    kernel = ntk()
    list(kernel.scan())
    for k in range(104):
        kernel.condition_on(k % 13)
    np.testing.assert_allclose(kernel.cross(np.arange(13), 4 + 91), GRAM[:13, :13], rtol=1e-10, atol=1e-12)


def test_only_what_is_asked_for_is_computed_and_what_is_kept_not_again():
    with mock.patch("kecor.ntk.pool_kernel.CACHE_BYTES", 3 * WIDTH):
        kernel = ntk()
    counts = counted(kernel)
    list(kernel.scan())
    assert sum(counts) == 13
    counts.clear()
    kernel.cross(np.array([5, 2]), 0)
    kernel.condition_on(2)
    kernel.cross(np.array([2, 5]), 4)
    assert sum(counts) == 2
    kernel.cross(np.array([7, 8]), 4)  # four were asked for, so that 2, the one asked for longest ago, goes
    kernel.cross(np.array([5, 7]), 4)
    assert sum(counts) == 4
    kernel.condition_on(2)
    assert sum(counts) == 5


def test_memory_is_bounded_by_what_may_be_kept():
    with (
        mock.patch.multiple("kecor.ntk.pool_kernel", CACHE_BYTES=3 * WIDTH, BLOCK_BYTES=5 * WIDTH),
        mock.patch("kecor.ntk.roi_frames.FEW_VALUES", 1),
    ):
        kernel = ntk()
        list(kernel.scan())
        for start in (0, 5, 8):
            kernel.cross(np.arange(start, start + 5), 0)
            assert len(kernel._cache) == 3
    assert all(len(part) == 5 for part in kernel._buffer)


def test_a_permuted_pool_has_the_same_rows_bit_by_bit():
    order = np.random.default_rng(0).permutation(13)
    kernels = ntk(), ntk(rows(POOL, order), rows(LABELLED, np.array([3, 1, 0, 2])))
    np.testing.assert_array_equal(kernels[0].known, kernels[1].known)
    for kernel in kernels:
        kernel.values = [np.concatenate(parts) for parts in zip(*kernel.scan())]
        kernel.condition_on(5)
        kernel.values.append(kernel.cross(np.array([0, 8, 12]), 2))
    for a, b in zip(kernels[0].values, kernels[1].values):
        np.testing.assert_array_equal(a, b)


def test_half_precision_features_may_lie_on_disk(tmp_path):
    half = POOL.feats["roi_features"].astype(np.float16)
    np.save(tmp_path / "features.npy", half)
    stored = np.load(tmp_path / "features.npy", mmap_mode="r")
    on_disk, in_memory = (FrameSet(POOL.ids, {**POOL.feats, "roi_features": f}) for f in (stored, half.astype(float)))
    kernels = ntk(on_disk), ntk(in_memory)
    for kernel in kernels:
        kernel.values = [np.concatenate(parts) for parts in zip(*kernel.scan())]
        kernel.condition_on(3)
        kernel.values.append(kernel.cross(np.arange(13), 0))
    for a, b in zip(kernels[0].values, kernels[1].values):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(np.load(tmp_path / "features.npy"), half)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "its features are not"), (-np.inf, "its features are not"), (1e30, "its kernel is not")],
)
def test_a_frame_that_is_not_finite_or_overflows_is_named(value, message, normalise):
    embedding = np.random.default_rng(0).normal(size=(5, 3))
    known = RoiFrames(FrameSet(["x", "y"], {"embedding": embedding[:2]}))
    embedding[3, 1] = value
    pool = RoiFrames(FrameSet(["e", "d", "c", "b", "a"], {"embedding": embedding}))
    kernel = PoolKernel(Linear(), pool, known, normalise=normalise)
    with pytest.raises(SelectionError, match=f"frame 'b': {message} "):
        list(kernel.scan())
    with pytest.raises(SelectionError, match=r"not finite|nan|inf"):
        list(PoolKernel(Linear(), known, pool, normalise=normalise).scan())


def test_labelled_frames_without_rois_or_no_labelled_frames_are_errors():
    with pytest.raises(SelectionError, match="mean kernel diagonal of the labelled frames is 0"):
        ntk(labelled=frame_set(1))
    with pytest.raises(SelectionError, match="no frame is labelled"):
        ntk(labelled=rows(LABELLED, np.zeros(0, int)))


def realistic(dtype, precision, arrangement="per_roi", output="sum", name="ntk", normalise=True):
    """Between 40 labelled frames; of 60 in clusters with these and 30 picks, relative to their size; with themselves.

    The head has the usual widths.
    """
    rng = np.random.default_rng(0)
    centres = 2 * rng.normal(size=(12, 1, 32))
    features = (centres[rng.integers(12, size=100)] + rng.normal(size=(100, 6, 32))).astype(np.float32)
    mask = np.arange(6) < rng.integers(1, 7, size=(100, 1))
    pool, labelled = (
        FrameSet(np.arange(some.start, some.stop), {"roi_features": features[some], "roi_mask": mask[some]})
        for some in (slice(0, 60), slice(60, 100))
    )
    pool, labelled = (RoiFrames(frames, arrangement, dtype=dtype) for frames in (pool, labelled))
    head = ProxyHead(labelled.width, 10, torch.Generator().manual_seed(1)).to(dtype).requires_grad_(False)
    kernel = PoolKernel(build_kernel(name, labelled, head, output), pool, labelled, precision, normalise)
    own = np.concatenate([d for _, d, _ in kernel.scan()])
    for k in range(30):
        kernel.condition_on(k)
    whole = np.concatenate([kernel.cross(some, 0) for some in np.split(np.arange(60), 3)])
    size = np.sqrt(np.outer(own, np.concatenate([np.diag(kernel.known), own[:30]])))
    return kernel.known, whole / size, own


@pytest.mark.parametrize(
    ("arrangement", "output", "name", "normalise"),
    [
        ("per_roi", "sum", "ntk", True),
        ("per_roi", "sum", "ntk", False),
        ("per_roi", "full", "ntk", True),
        ("flatten", "sum", "ntk", True),
        ("flatten", "full", "ntk", False),
        ("per_roi", "sum", "last_layer", True),
        ("per_roi", "sum", "linear", True),
        ("per_roi", "sum", "rbf", True),
        ("per_roi", "sum", "laplace", True),
    ],
)
@pytest.mark.parametrize(("precision", "bound"), [("float32", 1e-5), ("bfloat16", 2e-2)])
def test_lower_precisions_come_close(precision, bound, arrangement, output, name, normalise):
    exact = realistic(torch.float64, "float64", arrangement, output, name, normalise)
    close = realistic(torch.float32, precision, arrangement, output, name, normalise)
    for a, b in zip(exact, close):
        assert abs(a - b).max() < bound * max(1, abs(a).max())
    if precision == "bfloat16":
        assert abs(exact[1] - close[1]).max() > 1e-6


@pytest.mark.parametrize("callers", ["highest", "high", "medium"])
def test_the_callers_matmul_precision_is_left_alone_and_does_not_matter(callers):
    expected = realistic(torch.float32, "float32"), realistic(torch.float32, "bfloat16")
    torch.set_float32_matmul_precision(callers)
    try:
        got = realistic(torch.float32, "float32"), realistic(torch.float32, "bfloat16")
        assert torch.get_float32_matmul_precision() == callers
    finally:
        torch.set_float32_matmul_precision("highest")
    for a, b in zip(sum(expected, ()), sum(got, ())):
        np.testing.assert_array_equal(a, b)


def test_matmul_precision_is_restored_after_an_exception():
    assert torch.get_float32_matmul_precision() == "highest"
    with matmul_precision("bfloat16"):
        assert torch.get_float32_matmul_precision() == "medium"
    assert torch.get_float32_matmul_precision() == "highest"
    frames = RoiFrames(FrameSet(["a", "b"], {"embedding": np.array([[1.0], [np.nan]])}))
    fine = RoiFrames(FrameSet(["c"], {"embedding": np.array([[1.0]])}))
    with pytest.raises(SelectionError, match="'b'"):
        next(iter(PoolKernel(Linear(), frames, fine, "bfloat16").scan()))
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_precision_is_not_lowered_while_a_caller_works_between_parts():
    with mock.patch("kecor.ntk.pool_kernel.BLOCK_BYTES", 1), mock.patch("kecor.ntk.roi_frames.FEW_VALUES", 1):
        frames = RoiFrames(POOL)
        head = ProxyHead(6, 3, torch.Generator().manual_seed(0), hidden=(7, 5))
        kernel = PoolKernel(build_kernel("ntk", frames, head), frames, frames, "bfloat16")
        for _ in kernel.scan():
            assert torch.get_float32_matmul_precision() == "highest"
