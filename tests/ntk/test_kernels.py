"""What kernels have in common, however frames are arranged, read and stored; and the random projection."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kecor.ntk import KERNELS, ProxyHead, RoiFrames, build_kernel, represent_all
from kecor.structures import FrameSet
from tests.ntk.worlds import frame_set, nasty_frame_set

EVERYTHING = [(name, None) for name in KERNELS] + [("ntk", 32)]
"""Names and ranks."""


def make(name, frames, arrangement="per_roi", output="sum", dtype=torch.float64, rank=None, seed=0):
    read = RoiFrames(frames, arrangement, dtype=dtype)
    generator = torch.Generator().manual_seed(seed)
    head = ProxyHead(read.width, 3, torch.Generator().manual_seed(7), hidden=(7, 5)).to(dtype)
    return build_kernel(name, read, head, output, rank, generator), read


def gram_of(kernel, frames):
    rep = represent_all(kernel, frames, np.arange(len(frames)))
    return kernel.gram(rep, rep).numpy()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(EVERYTHING),
    st.sampled_from(["per_roi", "flatten"]),
    st.sampled_from(["sum", "full"]),
    st.integers(2, 12),
    st.integers(2, 5),
    st.integers(1, 8),
    st.integers(0, 1000),
)
def test_grams_are_symmetric_positive_and_agree_with_the_diagonal(kind, arrangement, output, n, n_rois, channels, seed):
    frames = nasty_frame_set(n, seed, n_rois=n_rois, channels=channels)
    kernel, read = make(kind[0], frames, arrangement, output, rank=kind[1], seed=seed)
    rep = represent_all(kernel, read, np.arange(n))
    gram = kernel.gram(rep, rep)
    assert gram.dtype == torch.float64
    gram = gram.numpy()
    np.testing.assert_allclose(gram, gram.T, atol=1e-12 * gram.max())
    np.testing.assert_allclose(np.diag(gram), kernel.diagonal(rep).numpy(), rtol=1e-12, atol=1e-12 * gram.max())
    assert np.linalg.eigvalsh(gram).min() > -1e-9 * gram.max()
    assert not gram[-1].any()  # the frame without RoIs
    some = represent_all(kernel, read, np.array([n - 2, 0]))
    np.testing.assert_allclose(kernel.gram(some, rep).numpy(), gram[[n - 2, 0]], rtol=1e-10, atol=1e-12 * gram.max())


@pytest.mark.parametrize(("name", "rank"), EVERYTHING)
def test_neither_order_nor_padding_of_rois_matters(name, rank):
    frames = frame_set()
    shuffle = np.array([2, 0, 3, 1])
    feats = {k: v[:, shuffle] for k, v in frames.feats.items()}
    for key, fill in (("roi_features", 7.0), ("roi_mask", False), ("roi_scores", 0.9)):
        padding = np.full((5, 3, *feats[key].shape[2:]), fill)
        feats[key] = np.concatenate([feats[key], padding.astype(feats[key].dtype)], 1)
    del feats["targets"]
    kernel, first = make(name, frames, rank=rank)
    second = RoiFrames(FrameSet(frames.ids, feats), dtype=torch.float64)
    np.testing.assert_allclose(gram_of(kernel, first), gram_of(kernel, second), atol=1e-12)


@pytest.mark.parametrize(("name", "rank"), EVERYTHING)
@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
def test_neither_chunks_nor_segments_matter(name, rank, arrangement, monkeypatch):
    kernel, frames = make(name, frame_set(n=9), arrangement, rank=rank)
    expected = gram_of(kernel, frames)
    for few in (1, 2 * 4 * 6, 4 * 4 * 6):
        monkeypatch.setattr("kecor.ntk.roi_frames.FEW_VALUES", few)
        monkeypatch.setattr("kecor.ntk.roi_frames.MANY_VALUES", few)
        monkeypatch.setattr("kecor.ntk.kernels.SEGMENT", few)
        np.testing.assert_allclose(gram_of(kernel, frames), expected, rtol=1e-12, atol=1e-12 * expected.max())


def test_single_precision_keeps_its_digits_over_many_terms():
    rng = np.random.default_rng(0)
    frames = FrameSet(["a", "b"], {"embedding": rng.uniform(1, 2, size=(2, 100_000))})
    exact, single = (gram_of(*make("linear", frames, dtype=dtype)) for dtype in (torch.float64, torch.float32))
    np.testing.assert_allclose(single, exact, rtol=1e-6)


def test_the_length_of_radial_kernels_when_there_is_none_to_measure():
    same = FrameSet(["a", "b"], {"embedding": np.ones((2, 3))})
    other = RoiFrames(FrameSet(["c"], {"embedding": np.zeros((1, 3))}), dtype=torch.float64)
    for frames in (same, FrameSet(["a"], {"embedding": np.ones((1, 3))})):
        kernel, read = make("rbf", frames)
        np.testing.assert_array_equal(gram_of(kernel, read), 1)
        far, near = (represent_all(kernel, some, np.arange(1)) for some in (other, read))
        assert kernel.gram(far, near).item() == pytest.approx(np.exp(-3))


@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
@pytest.mark.parametrize("output", ["sum", "full"])
class TestProjection:
    def errors(self, arrangement, output, rank, n_seeds):
        """(n_seeds, N, N), relative to the size of both frames."""
        frames = frame_set()
        expected = gram_of(*make("ntk", frames, arrangement, output))[:4, :4]
        size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        got = [gram_of(*make("ntk", frames, arrangement, output, rank=rank, seed=s))[:4, :4] for s in range(n_seeds)]
        return (np.array(got) - expected) / size

    def test_it_is_unbiased(self, arrangement, output):
        errors = self.errors(arrangement, output, 16, 600)
        mean, spread = errors.mean(0), errors.std(0)
        assert np.all(abs(mean) < 4.5 * spread / np.sqrt(600))
        assert np.all(4.5 * spread / np.sqrt(600) < 0.2)  # the bound above says something

    def test_its_error_falls_with_the_root_of_its_rank(self, arrangement, output):
        coarse, fine = (np.sqrt(np.square(self.errors(arrangement, output, r, 60)).mean()) for r in (32, 32 * 64))
        assert coarse / fine == pytest.approx(8, rel=0.25)

    def test_its_signs_come_from_its_generator_alone(self, arrangement, output):
        first, second, other = (
            gram_of(*make("ntk", frame_set(), arrangement, output, rank=8, seed=seed)) for seed in (3, 3, 4)
        )
        np.testing.assert_array_equal(first, second)
        assert abs(first - other).max() > 0
