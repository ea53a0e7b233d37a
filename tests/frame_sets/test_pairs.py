"""Pool and labelled frames from two files: what does not fit together, and what a method misses, is named."""

import re
from dataclasses import replace

import numpy as np
import pytest

from kecor.active.selection.purchase import NEEDS
from kecor.errors import DataError
from kecor.frame_sets.files import write_frames
from kecor.frame_sets.pairs import read_pair
from kecor.structures import FrameSet
from tests.acquisition.worlds import take, world

EVERYTHING = NEEDS


def only(frames, *names, detections=True):
    """The frames with some of their features alone."""
    feats = {name: frames.feats[name] for name in names}
    return replace(frames, feats=feats, detections=frames.detections if detections else [])


def cut(frames, name, columns):
    """The frames with the last axis of a feature cut short."""
    return replace(frames, feats={**frames.feats, name: frames.feats[name][..., :columns]})


@pytest.fixture
def pair(tmp_path):
    """Write two sets and read them back as a pair."""

    def read(pool, labelled, needs=EVERYTHING):
        write_frames(tmp_path / "pool.npz", pool)
        write_frames(tmp_path / "known", labelled)
        return read_pair(tmp_path / "pool.npz", tmp_path / "known", frozenset(needs), "method 'm'")

    return read


def test_a_pair_that_fits_is_read_whole(pair):
    pool, labelled = pair(world(9), world(5, 1, "l", labelled=True))
    assert (len(pool), len(labelled)) == (9, 5)
    assert set(labelled.feats) - set(pool.feats) == {"targets"}
    assert len(pool.detections) == 9


def test_only_what_is_needed_must_be_there(pair):
    pool, labelled = pair(FrameSet(["a", "b"]), FrameSet(["c"]), needs=())
    assert (pool.ids.tolist(), labelled.ids.tolist()) == (["a", "b"], ["c"])
    labelled = only(world(5, 1, "l"), "embedding", detections=False)
    pair(only(world(9), "embedding", detections=False), labelled, {"embedding"})
    pair(only(world(9), detections=True), FrameSet(["c"]), {"detections"})
    pair(take(world(9), []), only(labelled, "embedding", detections=False), {"detections", "embedding"})


def test_embeddings_stand_in_as_one_roi_a_frame(pair):
    known = world(5, 1, "l", labelled=True)
    known.feats["targets"] = known.feats["targets"][:, 0]
    known = only(known, "embedding", "targets")
    pool, labelled = pair(only(world(9), "embedding"), known, {"roi_features"})
    assert pool.feats["roi_features"].shape == (9, 1, pool.feats["embedding"].shape[1])
    np.testing.assert_array_equal(pool.feats["roi_features"][:, 0], pool.feats["embedding"])
    assert pool.feats["roi_mask"].all()
    np.testing.assert_array_equal(labelled.feats["targets"][:, 0], known.feats["targets"])


ROIS = ("roi_features", "roi_mask")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, k: (replace(p, feats={**p.feats, "targets": np.ones((9, 1))}), k), "pool.npz: targets: only label"),
        (
            lambda p, k: (p, replace(k, ids=["l0", "l1", "p0004", "l3", "l4"])),
            "pool.npz: ids: row 4: 'p0004' is already",
        ),
        (lambda p, k: (only(p, *ROIS, "embedding", detections=False), k), "det_labels are missing: method 'm' needs d"),
        (lambda p, k: (only(p, *ROIS), k), "pool.npz: embedding is missing: method 'm' needs it, and"),
        (lambda p, k: (p, only(k, "embedding")), "known: roi_features is missing: method 'm' needs it, and"),
        (lambda p, k: (only(p), only(k)), "pool.npz: roi_features (N, R, C) or embedding (N, D) is missing"),
        (lambda p, k: (only(p, *ROIS), only(k, *ROIS)), "pool.npz: embedding (N, D) is missing: method 'm' needs it"),
        (lambda p, k: (p, cut(k, "embedding", 3)), "known: embedding: rows of shape (3,), but (8,) in"),
        (lambda p, k: (p, cut(k, "roi_features", 3)), "known: roi_features: rows of shape (6, 3), but (6, 8) in"),
        (
            lambda p, k: (only(p, "roi_mask", "pass_boxes"), k),
            "pool.npz: roi_features is missing: method 'm' needs it, and",
        ),
        (
            lambda p, k: (only(p, *ROIS, "embedding"), k),
            "pool.npz: pass_logits (N, R, P, K) or pass_boxes (N, R, P, 7) is",
        ),
    ],
)
def test_what_does_not_fit_is_named(pair, change, message):
    with pytest.raises(DataError, match=re.escape(message)):
        pair(*change(world(9), world(5, 1, "l", labelled=True)))


def test_numbers_of_rois_logits_and_box_columns_must_agree(pair):
    known = world(5, 1, "l")
    fewer = {name: a[:, :4] if name.startswith(("roi", "pass")) else a for name, a in known.feats.items()}
    logits = [replace(d, logits=d.logits[:, :2], labels=d.labels * 0) for d in known.detections]
    boxes = [replace(d, boxes=d.boxes[:, :4]) for d in known.detections]
    bare = {name: a for name, a in known.feats.items() if not name.endswith("logits")}
    for other, message in (
        (replace(known, feats=fewer), "known: roi_features: rows of shape (4, 8), but (6, 8) in"),
        (replace(known, feats=bare, detections=logits), "known: det_logits: rows of shape (2,), but (3,) in"),
        (replace(known, detections=boxes), "known: det_boxes: rows of shape (4,), but (7,) in"),
    ):
        with pytest.raises(DataError, match=re.escape(message)):
            pair(world(9), other)
