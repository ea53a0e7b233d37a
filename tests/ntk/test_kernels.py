"""The kernels against formulas written out, and the matrix over frames that computes them lazily."""

import numpy as np
import pytest
import torch

from kecor.ntk import KERNELS, KernelMatrix, ProxyHead, RoiFrames, build_kernel
from kecor.structures import FrameSet
from tests.ntk.worlds import frame_set


def make(name, frames, dtype=torch.float64, rank=None):
    read = RoiFrames(frames, dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    head = ProxyHead(read.width, 3, generator, hidden=(7, 5)).to(dtype)
    return build_kernel(name, read, head, rank=rank, generator=generator), read


def mean_features(frames):
    x, w = RoiFrames(frames, dtype=torch.float64).read(slice(None))
    return (x * w[..., None]).sum(1).numpy(), (w.sum(1) > 0).numpy()


@pytest.mark.parametrize("name", KERNELS)
def test_gram_is_symmetric_positive_and_agrees_with_columns_and_diagonal(name):
    kernel, frames = make(name, frame_set())
    matrix = KernelMatrix(kernel, frames)
    gram = matrix.cross(matrix)
    np.testing.assert_allclose(gram, gram.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(gram), matrix.diagonal(), atol=1e-12)
    np.testing.assert_allclose(np.stack([matrix.column(j) for j in range(5)], 1), gram, atol=1e-12)
    assert np.linalg.eigvalsh(gram).min() > -1e-9 * gram.max()
    assert not gram[-1].any()  # a frame without RoIs


def test_linear_rbf_and_laplace_by_their_formulas():
    frames = frame_set()
    means, present = mean_features(frames)
    distance = np.linalg.norm(means[:, None] - means[None], axis=-1)
    pairs = np.sort(distance[:4, :4][np.triu_indices(4, 1)])
    length = pairs[(len(pairs) - 1) // 2]  # the lower of the two middle ones
    both = np.outer(present, present)
    expected = {
        "linear": (means @ means.T + 1) * both,
        "rbf": np.exp(-((distance / length) ** 2)) * both,
        "laplace": np.exp(-distance / length) * both,
    }
    for name, values in expected.items():
        matrix = KernelMatrix(*make(name, frames))
        np.testing.assert_allclose(matrix.cross(matrix), values, atol=1e-12)


def test_last_layer_is_the_ntk_of_the_last_layer_alone():
    kernel, frames = make("last_layer", frame_set())
    x, w = frames.read(slice(None))
    hidden = x
    for layer in list(kernel.head.layers)[:-1]:
        hidden = torch.nn.functional.silu(layer(hidden))
    means = (hidden * w[..., None]).sum(1).detach().numpy()
    expected = 3 * (means @ means.T + 1)
    matrix = KernelMatrix(kernel, frames)
    np.testing.assert_allclose(matrix.cross(matrix)[:4, :4], expected[:4, :4], rtol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_neither_order_nor_padding_of_rois_matters(name):
    frames = frame_set()
    shuffle = np.array([2, 0, 3, 1])
    feats = {k: v[:, shuffle] for k, v in frames.feats.items()}
    for key, fill in (("roi_features", 7.0), ("roi_mask", False), ("roi_scores", 0.9)):
        padding = np.full((5, 3, *feats[key].shape[2:]), fill)
        feats[key] = np.concatenate([feats[key], padding.astype(feats[key].dtype)], 1)
    del feats["targets"]
    kernel, first = make(name, frames)
    a, b = (
        KernelMatrix(kernel, first),
        KernelMatrix(kernel, RoiFrames(FrameSet(frames.ids, feats), dtype=torch.float64)),
    )
    np.testing.assert_allclose(a.cross(a), b.cross(b), atol=1e-12)


def test_cache_block_size_and_scale_change_nothing_else(monkeypatch):
    kernel, frames = make("ntk", frame_set(n=9))
    whole = KernelMatrix(kernel, frames)
    expected = whole.cross(whole)
    monkeypatch.setattr("kecor.ntk.frames.BLOCK_VALUES", 2 * 4 * 6)
    for cache in (0, 4000, 2**30):
        matrix = KernelMatrix(kernel, frames, scale=4.0, cache_bytes=cache)
        np.testing.assert_allclose(matrix.cross(matrix), expected / 4, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(matrix.column(7), expected[:, 7] / 4, rtol=1e-12, atol=1e-12)


def test_single_precision_from_a_half_precision_file(tmp_path):
    frames = frame_set(n=12, n_rois=8, channels=32)
    stored = frames.feats["roi_features"].astype(np.float16)
    np.save(tmp_path / "features.npy", stored)
    on_disk = {**frames.feats, "roi_features": np.load(tmp_path / "features.npy", mmap_mode="r")}
    exact = KernelMatrix(*make("ntk", FrameSet(frames.ids, {**frames.feats, "roi_features": stored})))
    single = KernelMatrix(*make("ntk", FrameSet(frames.ids, on_disk), dtype=torch.float32))
    expected = exact.cross(exact)
    np.testing.assert_allclose(single.cross(single), expected, rtol=1e-5, atol=1e-5 * expected.max())


@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
@pytest.mark.parametrize("output", ["sum", "full"])
def test_projection_is_unbiased_and_sharpens_with_its_rank(arrangement, output):
    frames = RoiFrames(frame_set(), arrangement, dtype=torch.float64)
    head = ProxyHead(frames.width, 3, torch.Generator().manual_seed(0), hidden=(7, 5)).double()
    exact = KernelMatrix(build_kernel("ntk", frames, head, output), frames)
    expected = exact.cross(exact)

    def error(rank, seed):
        kernel = build_kernel("ntk", frames, head, output, rank, torch.Generator().manual_seed(seed))
        matrix = KernelMatrix(kernel, frames)
        return (matrix.cross(matrix) - expected) / expected.max()

    mean_error = np.mean([error(256, seed) for seed in range(40)], 0)
    assert abs(mean_error).max() < 0.05
    assert abs(error(2**15, 0)).max() < 0.1
    np.testing.assert_array_equal(error(64, 3), error(64, 3))
