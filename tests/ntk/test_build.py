"""The public path from two sets of frames to a kernel, against features scaled and Jacobians computed another way."""

import numpy as np
import pytest
import torch

from kecor.errors import ConfigError, SelectionError
from kecor.ntk import KERNELS, KernelOptions, frame_kernel, frame_targets
from kecor.structures import FrameSet
from tests.ntk.worlds import autograd_gram, frame_set, nasty_frame_set, plain_frames, rows

POOL, LABELLED = nasty_frame_set(7, seed=1, prefix="p"), nasty_frame_set(5, seed=2, prefix="l")


def make(pool=POOL, labelled=LABELLED, seed=0, **options):
    options = {"precision": "float64", "steps": 20, "require_convergence": False, **options}
    return frame_kernel(pool, labelled, KernelOptions.of(options), torch.Generator().manual_seed(seed))


def through_the_public_path(kernel):
    """(N + L, N + L) kernel, the pool first, as far as it can be asked for; each entry in each way there is to ask."""
    n, n_known = len(kernel), len(kernel.known)
    gram = np.full((n + n_known, n + n_known), np.nan)
    gram[n:, n:] = kernel.known
    diagonal = np.full(n, np.nan)
    for positions, own, cross in kernel.scan():
        diagonal[positions] = own
        gram[positions, n:] = cross
        gram[n:, positions] = cross.T
    for k in range(n):
        kernel.condition_on(k)
        everything = kernel.cross(np.arange(n), 0)
        np.testing.assert_allclose(everything[:, :n_known], gram[:n, n:], rtol=1e-10, atol=1e-12)
        newest = kernel.cross(np.arange(n), n_known + k)
        np.testing.assert_allclose(newest[:, 0], everything[:, -1], rtol=1e-10, atol=1e-12)
        gram[:n, k] = newest[:, 0]
    np.testing.assert_allclose(diagonal, np.diag(gram)[:n], rtol=1e-10, atol=1e-12)
    return gram


def divided(gram, n, normalise):
    """What a kernel among n frames of a pool and the labelled ones becomes: 1 on the labelled diagonal, in the mean."""
    own = np.diag(gram)
    if not normalise:
        return gram / own[n:].mean()
    lengths = np.where(own > 0, np.sqrt(own), 1)
    return gram / np.outer(lengths, lengths) / np.mean(own[n:] > 0)


def assert_close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-10 * expected.max())


def scaling_of(frames):
    """Mean and standard deviation over the valid RoIs."""
    valid = frames.feats["roi_features"][frames.feats["roi_mask"]].astype(np.float64)
    return valid.mean(0), valid.std(0)


def mean_features(frames, arrangement, mean, std):
    x, w = (a.numpy() for a in plain_frames(frames, arrangement, mean, std))
    return (x * w[..., None]).sum(1), w.sum(1) > 0


def expected_gram(name, fit, pool, labelled, arrangement, output, standardise):
    mean, std = scaling_of(labelled) if standardise else (0.0, 1.0)
    parts = [plain_frames(frames, arrangement, mean, std) for frames in (pool, labelled)]
    x, w = (torch.cat(pair) for pair in zip(*parts))
    if name in ("ntk", "last_layer"):
        return autograd_gram(fit.head, x, w, output, "" if name == "ntk" else "layers.2")
    if name == "linear":
        linear = torch.nn.Linear(x.shape[2], 1).double()
        return autograd_gram(linear, x, w)
    features = (x * w[..., None]).sum(1).numpy()
    present = w.sum(1).numpy() > 0
    distance = np.linalg.norm(features[:, None] - features[None], axis=-1)
    apart = np.triu(distance[len(pool) :, len(pool) :][np.ix_(*[present[len(pool) :]] * 2)], 1)
    apart = np.sort(apart[apart > 0])
    length = apart[(len(apart) - 1) // 2]  # the lower of the two middle ones
    return np.exp(-((distance / length) ** (2 if name == "rbf" else 1))) * np.outer(present, present)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("output", ["sum", "full"])
@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_is_its_definition(name, arrangement, output, standardise, normalise):
    how = {"arrangement": arrangement, "output": output, "standardise": standardise}
    kernel, fit = make(type=name, normalise=normalise, **how)
    expected = expected_gram(name, fit, POOL, LABELLED, **how)
    got = through_the_public_path(kernel)
    assert_close(got, divided(expected, 7, normalise))
    assert np.diag(kernel.known).mean() == pytest.approx(1, rel=1e-12)
    assert kernel.scale == pytest.approx(np.diag(expected)[7:].mean(), rel=1e-10)
    without_rois = np.flatnonzero(~np.concatenate([mean_features(f, "per_roi", 0, 1)[1] for f in (POOL, LABELLED)]))
    assert len(without_rois) == 2
    assert not got[without_rois].any()
    assert (fit is None) == (name in ("linear", "rbf", "laplace"))


@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
def test_half_precision_features_are_read_as_they_are(arrangement):
    pool, labelled = (nasty_frame_set(6, s, p, np.float16) for s, p in ((1, "p"), (2, "l")))
    kernel, fit = make(pool, labelled, arrangement=arrangement, normalise=False)
    expected = expected_gram("ntk", fit, pool, labelled, arrangement, "sum", True)
    assert_close(through_the_public_path(kernel), divided(expected, 6, False))


@pytest.mark.parametrize("output", ["sum", "full"])
def test_frames_of_one_embedding(output):
    rng = np.random.default_rng(0)
    pool = FrameSet(["b", "a", "c"], {"embedding": rng.normal(size=(3, 6))})
    labelled = FrameSet(["y", "x"], {"embedding": rng.normal(size=(2, 6)), "targets": rng.normal(size=(2, 3))})
    kernel, fit = make(pool, labelled, output=output, standardise=False, normalise=False)
    x = np.concatenate([pool.feats["embedding"][[1, 0, 2]], labelled.feats["embedding"][[1, 0]]])
    expected = autograd_gram(fit.head, torch.from_numpy(x)[:, None], torch.ones(5, 1).double(), output)
    assert_close(through_the_public_path(kernel), divided(expected, 3, False))


@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
@pytest.mark.parametrize("output", ["sum", "full"])
def test_single_precision_comes_close(arrangement, output):
    how = {"arrangement": arrangement, "output": output, "normalise": False}
    exact, single = (make(precision=precision, **how)[0] for precision in ("float64", "float32"))
    for kernel in (exact, single):
        list(kernel.scan())
        for k in range(7):
            kernel.condition_on(k)
    everything = np.arange(7)
    exact, single = (kernel.cross(everything, 0) for kernel in (exact, single))
    assert abs(single - exact).max() <= 1e-5 * exact.max()


def test_the_order_of_both_sets_does_not_matter():
    rng = np.random.default_rng(0)
    first, _ = make()
    second, _ = make(rows(POOL, rng.permutation(7)), rows(LABELLED, rng.permutation(5)))
    np.testing.assert_array_equal(first.known, second.known)
    for a, b in zip(first.scan(), second.scan()):
        for p, q in zip(a, b):
            np.testing.assert_array_equal(p, q)


def test_same_generator_same_kernel_and_the_global_one_is_left_alone():
    before = torch.get_rng_state()
    first, second, other = (make(rank=16, seed=seed)[0].known for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(first, second)
    assert abs(first - other).max() > 1e-3


def test_mean_targets_are_weighted_as_the_kernel_weighs_rois():
    _, w = plain_frames(LABELLED, "per_roi")
    order = np.argsort(LABELLED.ids)
    targets = np.where(LABELLED.feats["roi_mask"][..., None], LABELLED.feats["targets"], 0)
    expected = np.empty((5, 3))
    expected[order] = (w.numpy()[..., None] * targets[order]).sum(1)
    np.testing.assert_allclose(frame_targets(LABELLED), expected, rtol=1e-12)
    assert frame_targets(FrameSet(LABELLED.ids, {"roi_features": LABELLED.feats["roi_features"]})) is None
    one = FrameSet(["a", "b"], {"embedding": np.zeros((2, 4)), "targets": np.array([[1.0, 2], [3, 4]])})
    np.testing.assert_array_equal(frame_targets(one), one.feats["targets"])


def test_features_that_are_all_the_same_are_named():
    same = frame_set(6, seed=3, prefix="s")
    same.feats["roi_features"][:] = 1.5
    with pytest.raises(SelectionError, match="all labelled frames have the same features"):
        make(labelled=same, require_convergence=True)


def test_a_head_that_diverges_is_an_error_that_says_what_to_do():
    with pytest.raises(SelectionError, match=r"proxy head diverged: loss .*lower learning_rate or standardise"):
        make(learning_rate=100.0, steps=5, require_convergence=True)
    raw = frame_set(20)
    raw.feats["roi_features"] = raw.feats["roi_features"] * 300 + 1000
    released = {"arrangement": "flatten", "standardise": False, "steps": 10, "learning_rate": 0.02}
    with pytest.raises(SelectionError, match="proxy head diverged"):
        make(POOL, raw, require_convergence=True, **released)
    _, fit = make(raw, raw, **released)
    assert not fit.converged
    _, fit = make(raw, raw, require_convergence=True, steps=100)
    assert fit.converged
    assert len(fit.losses) == 100


@pytest.mark.parametrize(
    ("value", "precision"),
    [(np.nan, "float32"), (np.inf, "float32"), (-np.inf, "float64"), (np.inf, "bfloat16"), (1e300, "float32")],
)
@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.filterwarnings("ignore:(invalid value|overflow)")
def test_a_frame_that_is_not_finite_is_named_whichever_the_kernel(name, arrangement, value, precision):
    frames = {"p": nasty_frame_set(7, seed=1, prefix="p"), "l": nasty_frame_set(5, seed=2, prefix="l")}
    for prefix, some in frames.items():
        kept = some.feats["roi_features"].copy()
        row = int(np.flatnonzero(some.ids == f"{prefix}002")[0])
        roi = int(np.flatnonzero(some.feats["roi_mask"][row])[0])
        some.feats["roi_features"][row, roi, 3] = value
        wanted = f"frame '{prefix}002': its (features are|kernel is) not finite"
        with pytest.raises(SelectionError, match=wanted if prefix == "p" or value != 1e300 else "nan|inf|diverged"):
            list(make(*frames.values(), type=name, arrangement=arrangement, precision=precision)[0].scan())
        some.feats["roi_features"] = kept


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("standardise", [True, False])
def test_no_labelled_frame_is_an_error(name, standardise):
    for nothing in (rows(LABELLED, np.zeros(0, int)), FrameSet([])):
        with pytest.raises(SelectionError, match="labelled"):
            make(labelled=nothing, type=name, standardise=standardise, require_convergence=True)


def test_labelled_frames_without_any_roi_are_an_error():
    with pytest.raises(SelectionError, match="no labelled frame has a valid RoI"):
        make(labelled=frame_set(1))
    with pytest.raises(SelectionError, match="mean kernel diagonal of the labelled frames is 0"):
        make(labelled=frame_set(1), type="rbf", standardise=False)


def test_an_empty_pool_is_no_error():
    kernel, _ = make(rows(POOL, np.zeros(0, int)))
    assert len(kernel) == 0
    assert list(kernel.scan()) == []


def test_missing_targets_and_other_widths_are_errors():
    bare = FrameSet(LABELLED.ids, {k: v for k, v in LABELLED.feats.items() if k != "targets"})
    for name in ("ntk", "last_layer"):
        with pytest.raises(SelectionError, match=f"kernel '{name}' .*targets"):
            make(labelled=bare, type=name)
    make(labelled=bare, type="linear")
    with pytest.raises(SelectionError, match="labelled frames have 6 feature values, the pool's frames 7"):
        make(frame_set(channels=7))
    with pytest.raises(SelectionError, match="labelled frames have 24 feature values, the pool's frames 30"):
        make(frame_set(n_rois=5), arrangement="flatten")


@pytest.mark.parametrize(
    "option",
    [
        {"type": "ntkk"},
        {"arrangement": "flat"},
        {"output": "mean"},
        {"precision": "float16"},
        {"steps": 0},
        {"steps": True},
        {"batch_size": 1.5},
        {"rank": -1},
        {"learning_rate": "1e-3"},
        {"learning_rate": 0},
    ],
    ids=str,
)
def test_an_option_out_of_range_is_named(option):
    with pytest.raises(ConfigError, match=rf"acquisition\.kernel\.{next(iter(option))}: "):
        KernelOptions(**option)
