"""Reading dropout passes frame by frame: which RoIs count, in what pieces, and what is wrong with the arrays."""

import re

import numpy as np
import pytest

from kecor.acquisition import Bald, Consensus, MCDropout, build_acquisition
from kecor.acquisition.combine.parts import take_rows
from kecor.acquisition.dropout import scores as pass_scores
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, FrameSet
from tests.acquisition.worlds import world

POOL = world(20)
METHODS = {"mc_dropout": MCDropout, "bald": Bald, "consensus": Consensus}


def read(frames, per_roi, names=("pass_logits",), aggregate=np.sum, min_score=0.4):
    return pass_scores.pass_scores(frames, "m", names, per_roi, aggregate, min_score)


def changed(**feats):
    return FrameSet(POOL.ids, {**POOL.feats, **feats})


def scores_of(method, frames):
    return method.select(frames, FrameSet([]), Budget(3), np.random.default_rng(0)).scores


@pytest.mark.parametrize("values", [1, 300, 1 << 20])
@pytest.mark.parametrize("aggregate", [np.mean, np.sum, np.max])
def test_frames_have_the_aggregate_of_their_rois_however_many_are_read_at_once(monkeypatch, values, aggregate):
    monkeypatch.setattr(pass_scores, "VALUES_AT_ONCE", values)
    feats, expected = POOL.feats, np.zeros(20)
    for i in range(20):
        rois = [
            feats["pass_logits"][i, r].sum(dtype=np.float64) + feats["pass_boxes"][i, r, 0, 0]
            for r in range(6)
            if feats["roi_mask"][i, r] and feats["roi_scores"][i, r] >= 0.4
        ]
        expected[i] = aggregate(rois) if rois else 0
    names = ("pass_logits", "pass_boxes")
    got = read(POOL, lambda z, b: z.sum((1, 2)) + b[:, 0, 0], names, aggregate)
    np.testing.assert_allclose(got, expected, rtol=1e-9)
    assert (expected == 0).any()


def test_without_scores_every_roi_counts_and_padding_is_not_looked_at():
    logits = np.where(POOL.feats["roi_mask"][..., None, None], POOL.feats["pass_logits"], np.nan)
    bare = FrameSet(POOL.ids, {"roi_mask": POOL.feats["roi_mask"], "pass_logits": logits})
    counts = read(bare, lambda z: np.ones(len(z)))
    np.testing.assert_array_equal(counts, POOL.feats["roi_mask"].sum(1))


@pytest.mark.parametrize("name", METHODS)
def test_a_part_of_a_large_pool_is_read_as_it_is(monkeypatch, name):
    monkeypatch.setattr("kecor.acquisition.combine.parts.MAX_COPY_BYTES", 0)
    rows = np.array([4, 7, 2, 19])
    method = METHODS[name]()
    np.testing.assert_allclose(scores_of(method, take_rows(POOL, rows)), scores_of(method, POOL)[rows], rtol=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_the_gains_are_the_scores_best_first(name):
    selection = METHODS[name](min_score=0.4).select(POOL, FrameSet([]), Budget(6), np.random.default_rng(0))
    assert selection.indices.tolist() == np.lexsort((POOL.ids, -selection.scores))[:6].tolist()
    np.testing.assert_array_equal(selection.gains, selection.scores[selection.indices])
    assert (selection.scores > 0).sum() > 10
    nothing = ~(POOL.feats["roi_mask"] & (POOL.feats["roi_scores"] >= 0.4)).any(1)
    assert not selection.scores[nothing].any()


def only(*names):
    return {name: POOL.feats[name] for name in names}


@pytest.mark.parametrize(
    ("name", "feats", "message"),
    [
        ("bald", only("pass_logits"), "bald: the pool carries no 'roi_mask'"),
        ("mc_dropout", only("roi_mask", "pass_logits"), "mc_dropout: the pool carries no 'pass_boxes'"),
        ("consensus", only("roi_mask", "pass_logits"), "consensus: the pool carries no 'pass_boxes'"),
    ],
)
def test_an_array_that_is_missing_is_named(name, feats, message):
    with pytest.raises(SelectionError, match=message):
        scores_of(METHODS[name](), FrameSet(POOL.ids, feats))


@pytest.mark.parametrize(
    ("name", "array", "shape"),
    [
        ("consensus", "pass_boxes", (20, 6, 3, 7)),
        ("mc_dropout", "pass_boxes", (20, 6, 3, 4)),
        ("bald", "pass_logits", (20, 6, 3)),
        ("bald", "pass_logits", (20, 5, 4, 3)),
        ("bald", "pass_logits", (20, 6, 0, 3)),
    ],
)
def test_an_array_that_does_not_fit_is_named(name, array, shape):
    with pytest.raises(
        SelectionError, match=re.escape(f"{name}: {array}: shape {shape} does not fit roi_mask (20, 6)")
    ):
        scores_of(METHODS[name](), changed(**{array: np.ones(shape)}))


@pytest.mark.parametrize(("name", "array"), [("bald", "pass_logits"), ("mc_dropout", "pass_boxes")])
def test_the_frame_of_a_value_that_is_not_finite_is_named(name, array):
    broken = POOL.feats[array].copy()
    broken[5, 0, 1, 2] = np.nan
    with pytest.raises(SelectionError, match=rf"{name}: frame 'p0005': its {array} are not finite"):
        scores_of(METHODS[name](min_score=0), changed(**{array: broken}))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("key", "value"), [("min_score", 1.5), ("min_score", None), ("aggregation", "median")])
def test_wrong_arguments_are_config_errors(name, key, value):
    with pytest.raises(ConfigError, match=f"acquisition.{key}"):
        build_acquisition({"type": name, key: value})
