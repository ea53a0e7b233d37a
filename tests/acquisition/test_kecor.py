"""KECOR as a whole: its objective, its limits, its variants, and what it says when it cannot work."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from kecor.acquisition import Entropy, build_acquisition, validate_selection
from kecor.acquisition.kecor import Kecor
from kecor.acquisition.uncertainty.measures import class_entropy
from kecor.errors import ConfigError, SelectionError
from kecor.ntk import PoolKernel
from kecor.ntk.diagnostics import N_LOSSES
from kecor.structures import Budget, Detections, FrameSet
from tests.acquisition.worlds import nested_kernel, take, with_copy, world

POOL, LABELLED = world(24, seed=1), world(12, seed=2, prefix="l", labelled=True)
PRESETS = Path(__file__).parents[2] / "configs" / "methods"


def select(pool=POOL, labelled=LABELLED, amount=8, seed=0, **options):
    selection = Kecor(**nested_kernel({"steps": 30, **options})).select(
        pool, labelled, Budget(amount), np.random.default_rng(seed)
    )
    validate_selection(selection, pool, Budget(amount), "kecor")
    return selection


def whitened(frames, statistics_of):
    """Score-weighted means of standardised RoIs, a one appended, for the ``linear`` kernel written out."""
    known = statistics_of.feats["roi_features"][statistics_of.feats["roi_mask"]].astype(np.float64)
    mask = frames.feats["roi_mask"]
    x = (frames.feats["roi_features"].astype(np.float64) - known.mean(0)) / known.std(0)
    weights = frames.feats["roi_scores"].astype(np.float64) * mask
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-12)
    return np.concatenate([(x * weights[..., None]).sum(1), mask.any(1, keepdims=True)], 1)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("combine", ["additive", "released"])
def test_the_whole_objective_by_hand_with_a_linear_kernel(combine, normalise):
    sigma, weight, k = 0.4, 0.7, 6
    options = {"sigma": sigma, "entropy_weight": weight, "combine": combine, "normalise": normalise}
    selection = select(kernel="linear", amount=k, **options)
    u, known = whitened(POOL, LABELLED), whitened(LABELLED, LABELLED)
    scale = np.square(known).sum(1).mean()
    if normalise:
        u, known = (a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-9) for a in (u, known))
    mean = np.square(known).sum(1).mean()
    cross, gram = u @ known.T / mean, known @ known.T / mean
    posterior = u @ u.T / mean - cross @ np.linalg.solve(gram + sigma**2 * np.eye(12), cross.T)
    bonus = weight * class_entropy(POOL.expected_counts())

    def value(chosen):
        block = posterior[np.ix_(chosen, chosen)]
        if combine == "released":
            block = block + np.diag(bonus[chosen])
        rate = 0.5 * np.linalg.slogdet(np.eye(len(chosen)) + block / sigma**2)[1]
        return rate + (bonus[chosen].sum() if combine == "additive" else 0)

    chosen = []
    for _ in range(k):
        chosen.append(max(set(range(24)) - set(chosen), key=lambda j: value([*chosen, j])))
    assert selection.indices.tolist() == chosen
    assert selection.gains.sum() == pytest.approx(value(chosen), rel=1e-4)
    assert selection.info["kernel_scale"] == pytest.approx(scale, rel=1e-5)
    np.testing.assert_allclose(selection.scores, [value([j]) for j in range(24)], rtol=1e-3, atol=1e-5)


def test_a_small_entropy_weight_is_coding_rate_and_a_large_one_is_entropy():
    rate = select(entropy_weight=0)
    assert select(entropy_weight=1e-9).indices.tolist() == rate.indices.tolist()
    assert np.all(np.diff(rate.gains) <= 1e-9)
    pool = take(POOL, np.flatnonzero(POOL.feats["roi_mask"].any(1)))  # frames without RoIs are copies of each other
    entropy = class_entropy(pool.expected_counts())
    large = select(pool, entropy_weight=1e6)
    np.testing.assert_allclose(entropy[large.indices], np.sort(entropy)[:-9:-1])
    assert large.info["overlap_with_top_entropy"] > 0.8  # ties of entropy may be resolved otherwise
    assert rate.info["entropy_gain_sum"] == 0


def test_info_adds_up_and_is_plain():
    selection = select()
    info = selection.info
    assert info["rate_gain_sum"] + info["entropy_gain_sum"] == pytest.approx(selection.gains.sum())
    np.testing.assert_allclose(np.add(info["rate_gains"], info["entropy_gains"]), selection.gains)
    assert sum(info["rate_gains"]) == pytest.approx(info["rate_gain_sum"])
    assert info["rate_gain_mean"] == pytest.approx(info["rate_gain_sum"] / 8)
    assert info["proxy_loss_last"] < info["proxy_loss_first"]
    assert info["proxy_loss_last"] < info["proxy_loss_mean"]
    assert json.loads(json.dumps(info, allow_nan=False)) == info


@pytest.mark.parametrize("kernel", ["ntk", "last_layer", "linear"])
def test_info_tells_what_the_report_explains(kernel):
    info = select(kernel=kernel, steps=120).info
    of_proxy = {"proxy_loss_first", "proxy_loss_last", "proxy_loss_mean", "proxy_losses"}
    parts = {"eigenvalues", "largest_eigenvalue", "effective_dimension", "target_alignment", "leading_alignment"}
    parts |= {"label_gradient_alignment", "variance_before", "variance_after"}
    terms = {f"{term}_gain_{part}" for term in ("rate", "entropy") for part in ("sum", "mean")}
    terms |= {"rate_gains", "entropy_gains"}
    terms |= {"overlap_with_top_entropy", "sigma", "kernel_scale", "diagnostics"}
    assert set(info) == terms | (set() if kernel == "linear" else of_proxy)
    assert terms | of_proxy | parts <= set(Kecor.terms)
    assert parts <= set(info["diagnostics"]) <= parts | {"probe"}
    if kernel != "linear":
        assert N_LOSSES // 2 <= len(info["proxy_losses"]) <= N_LOSSES
        assert info["proxy_losses"][0] == pytest.approx(info["proxy_loss_first"], rel=1e-5)
        assert info["proxy_losses"][-1] < info["proxy_losses"][0]
    assert info["diagnostics"]["variance_after"] < info["diagnostics"]["variance_before"]


def test_overlap_with_top_entropy_is_the_share_of_picks_of_entropy_alone():
    selection = select(amount=10)
    top = np.argsort(-class_entropy(POOL.expected_counts()), kind="stable")[:10]
    expected = len(set(top.tolist()) & set(selection.indices.tolist())) / 10
    assert selection.info["overlap_with_top_entropy"] == expected
    assert select(amount=24).info["overlap_with_top_entropy"] == 1
    assert select(amount=0).info["overlap_with_top_entropy"] == 0


@pytest.mark.parametrize(
    "options",
    [
        {"kernel": "last_layer"},
        {"kernel": "linear"},
        {"kernel": "rbf"},
        {"kernel": "laplace"},
        {"arrangement": "flatten"},
        {"output": "full"},
        {"rank": 64},
        {"normalise": False},
        {"precision": "bfloat16"},
        {"precision": "float64"},
        {"class_entropy": "released", "combine": "released"},
    ],
    ids=str,
)
def test_every_variant_selects_the_same_under_a_permutation_and_repeats(options):
    order = np.random.default_rng(1).permutation(24)
    shuffled = take(POOL, order)
    first, second = select(**options), select(shuffled, **options)
    assert POOL.ids[first.indices].tolist() == shuffled.ids[second.indices].tolist()


def test_what_is_said_of_the_kernel_does_not_depend_on_the_order_of_the_labelled_frames():
    order = np.random.default_rng(2).permutation(12)
    first, second = (select(labelled=labelled).info["diagnostics"] for labelled in (LABELLED, take(LABELLED, order)))
    for name in set(first) - {"probe"}:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-6)
    assert second["target_alignment"] > 0.2  # of targets in another order it is nearly 0


def test_padding_rois_does_not_change_the_picks():
    def padded(frames):
        extra = {
            name: np.zeros((len(frames), 3, *a.shape[2:]), a.dtype) for name, a in frames.feats.items() if a.ndim > 1
        }
        feats = {n: np.concatenate([a, extra[n]], 1) for n, a in frames.feats.items() if n != "embedding"}
        return FrameSet(frames.ids, feats, frames.detections)

    plain, wide = select(), select(padded(POOL), padded(LABELLED))
    assert plain.indices.tolist() == wide.indices.tolist()
    np.testing.assert_allclose(plain.gains, wide.gains, rtol=1e-4)


def test_features_may_lie_on_disk_in_half_precision(tmp_path):
    half = POOL.feats["roi_features"].astype(np.float16)
    np.save(tmp_path / "x.npy", half)
    on_disk = FrameSet(
        POOL.ids, {**POOL.feats, "roi_features": np.load(tmp_path / "x.npy", mmap_mode="r")}, POOL.detections
    )
    in_memory = FrameSet(POOL.ids, {**POOL.feats, "roi_features": half}, POOL.detections)
    assert select(on_disk).indices.tolist() == select(in_memory).indices.tolist()


def test_frames_known_by_one_embedding_alone():
    def bare(frames):
        feats = {"embedding": frames.feats["embedding"]}
        if "targets" in frames.feats:
            feats["targets"] = frames.feats["targets"].mean(1)
        return FrameSet(frames.ids, feats, frames.detections)

    assert len(select(bare(POOL), bare(LABELLED)).indices) == 8


def test_the_kernel_is_conditioned_on_the_picks_alone(monkeypatch):
    conditioned, condition_on = [], PoolKernel.condition_on
    monkeypatch.setattr(PoolKernel, "condition_on", lambda self, j: conditioned.append(int(j)) or condition_on(self, j))
    selection = select(amount=5)
    assert conditioned == selection.indices.tolist()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("options", [{}, {"arrangement": "flatten"}, {"kernel": "laplace"}, {"rank": 64}], ids=str)
def test_of_copies_one_is_picked_however_the_pool_is_cut(precision, options, monkeypatch):
    monkeypatch.setattr("kecor.ntk.pool_kernel.BLOCK_BYTES", 1 << 20)
    monkeypatch.setattr("kecor.ntk.roi_frames.FEW_VALUES", 5 * 48)
    pool = take(POOL, np.flatnonzero(POOL.feats["roi_mask"].any(1)))  # frames without RoIs are copies of each other
    n = len(pool)
    for row in range(n):
        pool = with_copy(pool, row, f"q{(5 * row) % n:04d}")
    picked = select(pool, amount=2 * n, precision=precision, **options).indices
    assert set(picked[:n] % n) == set(picked[n:] % n) == set(range(n))


def test_the_default_preset_is_the_default():
    section = yaml.safe_load((PRESETS / "kecor.yaml").read_text())["acquisition"]
    assert vars(build_acquisition(section)) == vars(Kecor())


def without(frames, name):
    return FrameSet(frames.ids, {k: v for k, v in frames.feats.items() if k != name}, frames.detections)


def test_what_is_missing_is_named():
    with pytest.raises(SelectionError, match=r"kecor: .*targets"):
        select(labelled=without(LABELLED, "targets"))
    select(labelled=without(LABELLED, "targets"), kernel="rbf")
    with pytest.raises(SelectionError, match=r"kecor: .*neither"):
        select(pool=without(without(POOL, "roi_features"), "embedding"))
    with pytest.raises(SelectionError, match="kecor: the pool carries no detections"):
        select(pool=FrameSet(POOL.ids, POOL.feats))
    for nothing in (FrameSet([]), take(LABELLED, [])):
        with pytest.raises(SelectionError, match="kecor: no frame is labelled"):
            select(labelled=nothing)


@pytest.mark.parametrize("kernel", ["ntk", "rbf"])
def test_targets_that_do_not_fit_are_named_before_anything_is_picked(kernel):
    targets = LABELLED.feats["targets"]
    broken = np.where(np.arange(12)[:, None, None] == 0, np.nan, targets)
    for wrong, message in ((targets[:, :3], "shape"), (np.zeros((12, 7)), "shape"), (broken, "not finite")):
        labelled = FrameSet(LABELLED.ids, {**LABELLED.feats, "targets": wrong}, LABELLED.detections)
        with pytest.raises(SelectionError, match=f"kecor: targets: .*{message}"):
            select(labelled=labelled, kernel=kernel)


def test_what_is_wrong_is_named():
    wide = FrameSet(POOL.ids, {"embedding": np.zeros((24, 3))}, POOL.detections)
    with pytest.raises(SelectionError, match="labelled frames have 8 feature values, the pool's frames 3"):
        select(pool=wide)
    broken = FrameSet(POOL.ids, {"embedding": np.full((24, 8), np.nan)}, POOL.detections)
    with pytest.raises(SelectionError, match="kecor: frame 'p0000': its features are not finite"):
        select(pool=broken)
    with pytest.raises(SelectionError, match=r"kecor: the proxy head diverged: loss .* lower learning_rate"):
        select(learning_rate=100.0, steps=5)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel": "ntkk"},
        {"kernel": {"stepps": 3}},
        {"kernel": {"precision": "half"}},
        {"kernel": 3},
        {"combine": "both"},
        {"sigma": 0},
        {"sigma": float("inf")},
        {"sigma": float("nan")},
        {"entropy_weight": float("inf")},
        {"class_entropy": "none"},
        {"entropy_weight": -1},
    ],
    ids=str,
)
def test_a_wrong_argument_is_named(options):
    with pytest.raises(ConfigError, match=f"acquisition.{next(iter(options))}"):
        Kecor(**options)


def test_entropy_and_kecor_agree_that_a_frame_without_boxes_has_no_entropy():
    empty = Detections(np.zeros((0, 7)), np.zeros(0), np.zeros(0, int), np.zeros((0, 3)))
    pool = FrameSet(POOL.ids, POOL.feats, [empty] * 24)
    assert not Entropy().select(pool, LABELLED, Budget(3), np.random.default_rng(0)).gains.any()
    assert select(pool).info["entropy_gain_sum"] == 0
